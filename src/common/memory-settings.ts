import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8's own settings make the fastest process, where memory is free. What each of these saves stands in docs/benchmark.md, "Memory". */
const FLAGS = [
  // By so many percent the heap may outgrow what is alive in it until garbage is collected; V8 allows up to 300.
  '--heap-growing-percent=25',
  // How much of a function of Prisma's WebAssembly runs before it is compiled once more, for speed: ten times V8's own.
  '--wasm-tiering-budget=18000000',
  // What each compiling thread has needed stays with it.
  '--wasm-num-compilation-tasks=1',
  // V8 makes objects old at once when many of their kind have grown old; of requests that is a mistake, and each of them keeps the
  // young ones alive that hang on it. Without, a read takes a third less CPU.
  '--no-allocation-site-pretenuring',
  '--expose-gc',
];

/** By then a start is over, and a pause of some fifty milliseconds hurts nobody. */
const COLLECT_AFTER_MS = 10_000;

/** Has V8 prefer a small process to a little less work. To be called before Prisma is loaded. */
export function keepMemorySmall(): void {
  for (const flag of FLAGS) setFlagsFromString(flag);
}

/** Collects, once, what starting has left. */
export function collectGarbageOfStart(): void {
  const collect = runInNewContext('gc') as () => void;
  setTimeout(() => {
    collect();
    collect(); // the first one empties the space of young objects, the second gives it back
  }, COLLECT_AFTER_MS).unref();
}
