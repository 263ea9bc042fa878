#!/usr/bin/env bash
# Starts PgBouncer as the logins of POSTGRES_URL and POSTGRES_PLATFORM_URL, which it must know the passwords of.
set -euo pipefail
umask 077

# Prints what a part of a URL stands for.
decode() {
  local text=${1//\\/\\\\}
  printf '%b' "${text//%/\\x}"
}

# Prints the line of userlist.txt for a URL's login; a quote is written twice there.
entry() {
  local credentials=${1#*://}
  credentials=${credentials%%@*}
  local user password
  user=$(decode "${credentials%%:*}")
  password=$(decode "${credentials#*:}")
  printf '"%s" "%s"\n' "${user//\"/\"\"}" "${password//\"/\"\"}"
}

{
  entry "${POSTGRES_URL:?must be set}"
  entry "${POSTGRES_PLATFORM_URL:?must be set}"
} >"${PGBOUNCER_USERLIST:-/tmp/userlist.txt}"
unset POSTGRES_URL POSTGRES_PLATFORM_URL

exec pgbouncer "${PGBOUNCER_CONFIG:-/etc/pgbouncer/pgbouncer.ini}"
