import { named, person } from './people.mjs';

/**
 * @typedef {object} DemoUser
 * @property {string} email
 * @property {string} name
 * @property {string[]} roles names of roles, held for good
 * @property {string} [expiringRole] the name of a role that is held for EXPIRY_DAYS
 * @property {boolean} [suspended]
 * @property {boolean} [signsIn] has the demo's password; the others have none
 *
 * @typedef {object} DemoTenant
 * @property {string} slug
 * @property {string} name
 * @property {DemoUser} owner
 * @property {{ name: string, description: string, permissions: object[] }[]} roles
 * @property {DemoUser[]} users
 */

/** How long roles last that end by themselves. */
export const EXPIRY_DAYS = 90;

const may = (action, subject, limits = {}) => ({ subject, action, ...limits });
const mayNot = (action, subject, limits = {}) => ({ subject, action, ...limits, inverted: true });

const ROLES = {
  teamLead: {
    name: 'Team lead',
    description: 'Renames, suspends and resumes users, but never changes their own status. Makes roles.',
    permissions: [
      may('read', 'Tenant'),
      may('read', 'User'),
      may('update', 'User', { fields: ['name', 'status'] }),
      mayNot('update', 'User', { fields: ['status'], conditions: { id: '$me' } }),
      may('read', 'Role'),
      may('create', 'Role'),
    ],
  },
  dispatcher: {
    name: 'Dispatcher',
    description: 'Sees whom to send, and how to reach them.',
    permissions: [
      may('read', 'Tenant'),
      may('read', 'User', { fields: ['id', 'name', 'email', 'status'], conditions: { status: 'active' } }),
    ],
  },
  frontDesk: {
    name: 'Front desk',
    description: 'Sees names, no addresses.',
    permissions: [may('read', 'Tenant'), may('read', 'User', { fields: ['id', 'name', 'status'] })],
  },
  recordsAuditor: {
    name: 'Records auditor',
    description: 'Reads the audit trail, but not from where people came.',
    permissions: [
      may('read', 'User'),
      may('read', 'AuditEvent'),
      mayNot('read', 'AuditEvent', { fields: ['address', 'userAgent'] }),
    ],
  },
  projectManager: {
    name: 'Project manager',
    description: 'Brings people in and gives them the roles that freelancers have.',
    permissions: [
      may('read', 'Tenant'),
      may('read', 'User'),
      may('invite', 'User'),
      may('read', 'Role'),
      may('assign', 'Role', { conditions: { name: { in: ['Freelancer', 'Viewer'] } } }),
    ],
  },
  freelancer: {
    name: 'Freelancer',
    description: 'Sees who is there now.',
    permissions: [
      may('read', 'Tenant'),
      may('read', 'User', { fields: ['id', 'name', 'status'], conditions: { status: 'active' } }),
    ],
  },
};

/**
 * @param {string} domain
 * @param {{ name: string, mailbox: string }} who
 * @param {string[]} roles
 * @param {Partial<DemoUser>} [more]
 * @returns {DemoUser}
 */
const user = (domain, who, roles, more = {}) => ({ email: `${who.mailbox}@${domain}`, name: who.name, roles, ...more });

/**
 * `count` people beginning with the nth, most of them members.
 * @param {string} domain
 * @param {number} first
 * @param {number} count
 * @param {Record<number, Partial<DemoUser>>} exceptions by their place, from 0
 * @returns {DemoUser[]}
 */
function staff(domain, first, count, exceptions) {
  return Array.from({ length: count }, (_, place) =>
    user(domain, person(first + place), place % 9 === 8 ? ['Viewer'] : ['Member'], exceptions[place]),
  );
}

const HARBORLINE = 'harborline.example';
const MEADOWBROOK = 'meadowbrook.example';
const BRIGHTWORK = 'brightwork.example';

const ingrid = named('Ingrid Solberg');
const rafael = named('Rafael Duarte');
const noor = named('Noor Haddad');
const tom = named('Tom Becker');

/** Three companies with 200 users. Three people are users of two of them: one account each. @type {DemoTenant[]} */
export const TENANTS = [
  {
    slug: 'harborline',
    name: 'Harborline Logistics',
    owner: user(HARBORLINE, ingrid, [], { signsIn: true }),
    roles: [ROLES.teamLead, ROLES.dispatcher],
    users: [
      user(HARBORLINE, tom, ['Team lead'], { signsIn: true }),
      ...staff(HARBORLINE, 0, 87, {
        0: { roles: ['Admin'] },
        1: { roles: ['Admin'] },
        2: { roles: ['Team lead'] },
        3: { roles: ['Member', 'Dispatcher'] },
        4: { roles: ['Member', 'Dispatcher'] },
        5: { roles: ['Member'], expiringRole: 'Dispatcher' },
        6: { roles: ['Member'], expiringRole: 'Dispatcher' },
        7: { suspended: true },
      }),
      user(BRIGHTWORK, noor, ['Viewer']),
    ],
  },
  {
    slug: 'meadowbrook',
    name: 'Meadowbrook Clinics',
    owner: user(MEADOWBROOK, rafael, [], { signsIn: true }),
    roles: [ROLES.frontDesk, ROLES.recordsAuditor],
    users: [
      ...staff(MEADOWBROOK, 87, 68, {
        0: { roles: ['Admin'] },
        1: { roles: ['Front desk'] },
        2: { roles: ['Front desk'] },
        3: { roles: ['Front desk'] },
        4: { roles: [], expiringRole: 'Records auditor' },
        5: { suspended: true },
      }),
      user(HARBORLINE, person(0), ['Viewer']),
    ],
  },
  {
    slug: 'brightwork',
    name: 'Brightwork Studio',
    owner: user(BRIGHTWORK, noor, [], { signsIn: true }),
    roles: [ROLES.projectManager, ROLES.freelancer],
    users: [
      ...staff(BRIGHTWORK, 155, 38, {
        0: { roles: ['Admin'] },
        1: { roles: ['Project manager'] },
        2: { roles: [], expiringRole: 'Freelancer' },
        3: { roles: [], expiringRole: 'Freelancer' },
        4: { roles: [], expiringRole: 'Freelancer' },
      }),
      user(HARBORLINE, ingrid, ['Viewer']),
    ],
  },
];
