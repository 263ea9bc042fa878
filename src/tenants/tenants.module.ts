import { Module } from '@nestjs/common';
import { RolesModule } from '../roles/roles.module';
import { UsersModule } from '../users/users.module';
import { TenantPurge } from './tenant-purge';
import { TenantsController } from './tenants.controller';
import { TenantsRepository } from './tenants.repository';
import { TenantsService } from './tenants.service';

@Module({
  imports: [RolesModule, UsersModule],
  controllers: [TenantsController],
  providers: [TenantsRepository, TenantsService, TenantPurge],
})
export class TenantsModule {}
