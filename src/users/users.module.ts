import { Module } from '@nestjs/common';
import { RolesModule } from '../roles/roles.module';
import { UserRolesController } from './user-roles.controller';
import { UserRolesRepository } from './user-roles.repository';
import { UserRolesService } from './user-roles.service';
import { UsersController } from './users.controller';
import { UsersRepository } from './users.repository';
import { UsersService } from './users.service';

@Module({
  imports: [RolesModule],
  controllers: [UsersController, UserRolesController],
  providers: [UsersRepository, UserRolesRepository, UsersService, UserRolesService],
  exports: [UsersRepository, UserRolesRepository],
})
export class UsersModule {}
