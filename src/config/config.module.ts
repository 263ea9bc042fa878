import { type DynamicModule, Global, Module } from '@nestjs/common';
import { Clock } from '../common/clock';
import { Env } from './env';
import { openSecretBox, SecretBox } from './secret-box';

/** The environment, the clock, and the box for secrets: what every module may ask for. */
@Global()
@Module({})
export class ConfigModule {
  static forRoot(env: Env): DynamicModule {
    return {
      module: ConfigModule,
      providers: [{ provide: Env, useValue: env }, { provide: SecretBox, useFactory: () => openSecretBox(env) }, Clock],
      exports: [Env, SecretBox, Clock],
    };
  }
}
