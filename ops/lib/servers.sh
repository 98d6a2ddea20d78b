# shellcheck shell=bash
# The private Redis and PostgreSQL of a stack. Sourced, never run. No system service is touched.

# How often a server is started on another port where the first one was taken meanwhile.
readonly PORT_TRIES=5

# A random word of 32 hexadecimal digits.
random_word() { openssl rand -hex 16; }

# Starts Redis with its data in the stack and sets REDIS_URL.
start_redis() {
  say "starting a private Redis"
  local folder=$STACK/redis port password try
  mkdir -p "$folder"
  password=$(random_word)
  for try in $(seq "$PORT_TRIES"); do
    port=$(free_port)
    # By a file of our own and not by arguments, which every user of this machine can read.
    printf '%s\n' "port $port" "bind 127.0.0.1" "dir \"$folder\"" "requirepass $password" "appendonly yes" \
      "maxmemory-policy noeviction" 'save ""' >"$STACK/secrets/redis.conf"
    start_process redis redis-server "$STACK/secrets/redis.conf"
    if REDISCLI_AUTH=$password wait_until 20 "Redis" redis redis-cli -h 127.0.0.1 -p "$port" ping; then
      export REDIS_URL=redis://:$password@127.0.0.1:$port
      note "Redis listens on 127.0.0.1:$port"
      return 0
    fi
    stop_processes TERM redis
  done
  die "Redis could not be started in $try tries"
}

# Runs a program as the user whose PostgreSQL server will run; it refuses to run as root. From /, which all may enter.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid=postgres --regid=postgres --init-groups "$@")
  else
    (cd / && "$@")
  fi
}

# The folder that has all of PostgreSQL's programs that are needed: Debian's newest, else one of PATH.
postgres_programs() {
  local debian path folder program
  mapfile -t debian < <(compgen -G '/usr/lib/postgresql/*/bin' | sort -rV)
  IFS=: read -r -a path <<<"$PATH"
  for folder in "${debian[@]}" "${path[@]}"; do
    for program in initdb postgres createdb pg_isready; do
      [ -x "$folder/$program" ] || continue 2
    done
    printf '%s' "$folder"
    return 0
  done
  die "no folder has PostgreSQL's initdb, postgres, createdb and pg_isready: run ops/setup"
}

# Sets $POSTGRES to the folder of the server's data: in the stack, or, where its user cannot reach that, a temporary one
# that the stack remembers.
find_postgres_folder() {
  if [ -e "$STACK/postgres.folder" ]; then
    POSTGRES=$(cat "$STACK/postgres.folder")
    return 0
  fi
  POSTGRES=$STACK/postgres
  mkdir -p "$POSTGRES"
  if [ "$(id -u)" = 0 ]; then
    chown postgres: "$POSTGRES"
    if ! as_postgres test -w "$POSTGRES"; then
      rmdir "$POSTGRES"
      POSTGRES=$(as_postgres mktemp -d /tmp/tron-payouts-postgres.XXXXXXXX)
      note "the user postgres cannot reach $STACK; its data is in $POSTGRES"
    fi
  fi
  chmod 700 "$POSTGRES"
  printf '%s\n' "$POSTGRES" >"$STACK/postgres.folder"
}

# Starts PostgreSQL, with the data that the stack has or a new cluster, and sets DATABASE_URL.
start_postgres() {
  say "starting a private PostgreSQL"
  local programs port password try
  programs=$(postgres_programs)
  find_postgres_folder
  if [ ! -e "$STACK/secrets/postgres-password" ]; then
    as_postgres rm -rf "$POSTGRES/data"
    password=$(random_word)
    # The password goes in by a file that the server's user alone can read.
    # shellcheck disable=SC2016
    as_postgres sh -c 'umask 077 && cat >"$1"' sh "$POSTGRES/password" <<<"$password"
    as_postgres "$programs/initdb" --pgdata="$POSTGRES/data" --username=payouts --auth=scram-sha-256 \
      --pwfile="$POSTGRES/password" --encoding=UTF8 --locale=C.UTF-8 >>"$STACK/log/postgres.log" 2>&1
    as_postgres rm "$POSTGRES/password"
    printf '%s\n' "$password" >"$STACK/secrets/postgres-password"
  fi
  password=$(cat "$STACK/secrets/postgres-password")
  for try in $(seq "$PORT_TRIES"); do
    port=$(free_port)
    local server=("$programs/postgres" -D "$POSTGRES/data" -c listen_addresses=127.0.0.1 -c "port=$port"
      -c unix_socket_directories= -c max_connections=200)
    if [ "$(id -u)" = 0 ]; then
      server=(env -C / setpriv --reuid=postgres --regid=postgres --init-groups "${server[@]}")
    else
      server=(env -C / "${server[@]}")
    fi
    start_process postgres "${server[@]}"
    if wait_until 60 "PostgreSQL" postgres "$programs/pg_isready" --quiet --host=127.0.0.1 --port="$port"; then
      export DATABASE_URL=postgresql://payouts:$password@127.0.0.1:$port/payouts
      if [ ! -e "$STACK/postgres.database" ]; then
        PGPASSWORD=$password "$programs/createdb" --host=127.0.0.1 --port="$port" --username=payouts payouts
        touch "$STACK/postgres.database"
      fi
      note "PostgreSQL listens on 127.0.0.1:$port"
      return 0
    fi
    stop_processes INT postgres
  done
  die "PostgreSQL could not be started in $try tries"
}

# Removes PostgreSQL's data, wherever the stack has it.
remove_postgres() {
  [ -e "$STACK/postgres.folder" ] || return 0
  local folder
  folder=$(cat "$STACK/postgres.folder")
  case $folder in
  "$STACK/postgres" | /tmp/tron-payouts-postgres.*) as_postgres rm -rf "$folder/data" && rm -rf "$folder" ;;
  esac
}
