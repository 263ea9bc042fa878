// What the requests of cases are put together from.

export const pick = (list) => list[Math.floor(Math.random() * list.length)];

export const json = (body) => ({ headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

/** Unique among all processes that load a database: who is created needs an address that nobody has. */
const run = `${process.pid}-${Date.now().toString(36)}`;
let made = 0;

export const newPerson = () => ({ email: `new-${run}-${(made += 1)}@bench.example`, name: `New User ${made}` });
