/** Given names and surnames from many places, so that lists look like a real company's. Pairs of them are people. */
const GIVEN_NAMES =
  `Aisha Albert Amara Anders Anneke Arjun Beatriz Bruno Camille Carlos Chiara Dalia Daniel Dmitri Elena
  Emeka Fatima Felix Freya Gabriel Hana Hugo Ines Isaac Ivana Jamal Jonas Julia Kaito Karin Lars Leila Lucia Marek Maria
  Mateo Mina Nadia Nikhil Olga`.split(/\s+/);

const SURNAMES =
  `Abbott Almeida Andersson Baker Bianchi Carvalho Chen Costa Dubois Eriksen Ferrari Fischer Garcia Gomez Hansen
  Haruki Hoffmann Ibrahim Jansen Johansson Kaya Keller Kowalski Kumar Larsen Laurent Lopez Mbeki Meyer Moreau Murphy Nakamura
  Novak Nowak Okafor Okoye Oliveira Olsen Osei Park Petrov Popescu Ramos Rossi Santos Schmidt Silva Suzuki Virtanen
  Wagner`.split(/\s+/);

/** The steps through both lists share no factor with their lengths, so that no pair comes twice in 200. */
const SURNAME_STEP = 7;

/**
 * The nth person: always the same, and another for each number below 200.
 * @param {number} number from 0
 * @returns {{ name: string, mailbox: string }} mailbox: the part of the address before the @
 */
export function person(number) {
  const given = GIVEN_NAMES[number % GIVEN_NAMES.length];
  const round = Math.floor(number / GIVEN_NAMES.length);
  const surname = SURNAMES[(number * SURNAME_STEP + round) % SURNAMES.length];
  return named(`${given} ${surname}`);
}

/**
 * @param {string} name of ASCII letters
 * @returns {{ name: string, mailbox: string }}
 */
export function named(name) {
  return { name, mailbox: name.toLowerCase().replaceAll(' ', '.') };
}
