import { Injectable, type OnModuleInit } from '@nestjs/common';
import { PATH_METADATA } from '@nestjs/common/constants';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { StartupError } from '../common/errors';
import { ACCESS } from './can.decorator';

/** Refuses to start when a route says neither who may call it nor that everybody may. */
@Injectable()
export class RouteAccessCheck implements OnModuleInit {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly reflector: Reflector,
  ) {}

  onModuleInit(): void {
    const undeclared = this.discovery.getControllers().flatMap(({ instance, name }) => {
      const prototype = Object.getPrototypeOf(instance) as Record<string, () => unknown>;
      return this.scanner
        .getAllMethodNames(prototype)
        .filter((method) => this.reflector.get<unknown>(PATH_METADATA, prototype[method]!) !== undefined)
        .filter((method) => this.reflector.get<unknown>(ACCESS, prototype[method]!) === undefined)
        .map((method) => `${name}.${method}`);
    });
    if (undeclared.length > 0) {
      throw new StartupError(
        `These routes declare no permission: ${undeclared.join(', ')}.\nGive each @Can(action, subject) or @Public().`,
      );
    }
  }
}
