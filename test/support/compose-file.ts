import { readText, readYaml } from './monitoring-files';

export interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  secrets?: string[];
  tmpfs?: string[];
  healthcheck?: { test?: string[]; disable?: boolean };
  depends_on?: Record<string, { condition: string }> | string[];
  user?: string;
  privileged?: boolean;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
}

type ServiceName = 'postgres' | 'pgbouncer' | 'setup' | 'app' | 'prometheus' | 'grafana';

interface Compose {
  services: Record<ServiceName, Service>;
  volumes: Record<string, unknown>;
  secrets: Record<string, { environment: string }>;
}

export const composeText = readText('docker-compose.yml');
export const { services, volumes, secrets } = readYaml<Compose>('docker-compose.yml');

/** The names of a service's environment. */
export const environmentOf = (name: ServiceName): string[] => Object.keys(services[name].environment ?? {});

/** The variables that a text of the compose file takes from `.env`, each with what follows its name. */
export function interpolated(text: string): { name: string; rest: string }[] {
  return [...text.matchAll(/\$\{([A-Z0-9_]+)([^}]*)\}/g)].map((match) => ({ name: match[1]!, rest: match[2]! }));
}
