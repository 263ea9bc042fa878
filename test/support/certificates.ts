import 'reflect-metadata'; // @peculiar/x509 wants it there
import { createPrivateKey, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  cryptoProvider,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

cryptoProvider.set(webcrypto);

type KeyPair = webcrypto.CryptoKeyPair;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;

/** A certificate and its key, in PEM. */
export interface Credentials {
  certificate: string;
  key: string;
}

export interface CertificateRequest {
  /** The subject's common name; of a client the login's. */
  name: string;
  /** The DNS names that a server may be called by. */
  hosts?: string[];
  /** It was valid until yesterday. */
  expired?: boolean;
}

/** A certificate authority of a suite's own. */
export class TestAuthority {
  private constructor(
    private readonly keys: KeyPair,
    /** For sslrootcert, or the server's ssl_ca_file. */
    readonly certificate: string,
    private readonly name: string,
  ) {}

  static async create(name: string): Promise<TestAuthority> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      ...validity(false),
      name: `CN=${name}`,
      keys,
      serialNumber: newSerial(),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(keys, certificate.toString('pem'), name);
  }

  async issue({ name, hosts = [], expired = false }: CertificateRequest): Promise<Credentials> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.create({
      ...validity(expired),
      subject: `CN=${name}`,
      issuer: `CN=${this.name}`,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      serialNumber: newSerial(),
      signingAlgorithm: ALGORITHM,
      extensions: extensionsFor(hosts),
    });
    return { certificate: certificate.toString('pem'), key: await pemOf(keys) };
  }
}

/** A certificate that vouches for itself. */
export async function selfSigned({ name, hosts = [] }: CertificateRequest): Promise<Credentials> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity(false),
    name: `CN=${name}`,
    keys,
    serialNumber: newSerial(),
    signingAlgorithm: ALGORITHM,
    extensions: extensionsFor(hosts),
  });
  return { certificate: certificate.toString('pem'), key: await pemOf(keys) };
}

/** The same key, encrypted. */
export function lockedKey(key: string, passphrase: string): string {
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
  return createPrivateKey(key).export(options).toString();
}

function newKeys(): Promise<KeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

const newSerial = (): string => `01${Buffer.from(webcrypto.getRandomValues(new Uint8Array(8))).toString('hex')}`;

function validity(expired: boolean): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - 2 * DAY_MS), notAfter: new Date(now + (expired ? -DAY_MS : DAY_MS)) };
}

function extensionsFor(hosts: string[]): Extension[] {
  const names = hosts.map((value) => ({ type: 'dns' as const, value }));
  return [
    new BasicConstraintsExtension(false),
    ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
  ];
}

async function pemOf({ privateKey }: KeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', privateKey));
  return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}
