import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { ActorsRepository } from './actors.repository';
import { ActorsService } from './actors.service';
import { PermissionCatalogue } from './permission-catalogue';
import { RouteAccessCheck } from './route-access-check';

/** Who may what: the actor of a request, and the check that each route says what it demands. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [ActorsRepository, ActorsService, PermissionCatalogue, RouteAccessCheck],
  exports: [ActorsService],
})
export class AccessModule {}
