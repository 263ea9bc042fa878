// What a thread of password-hasher.ts does.
const { hashSync, verifySync } = require('@node-rs/argon2');

module.exports = {
  hash: ({ password, parameters }) => hashSync(password, parameters),
  verify: ({ passwordHash, password }) => verifySync(passwordHash, password),
};
