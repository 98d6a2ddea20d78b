# shellcheck shell=bash
# A whole installation on this machine: servers, a simulated network, a wallet and the four workers. Sourced, never run.
#
# $STACK is its folder: pids/ log/ redis/ postgres/ secrets/ signer/ wallet.json chain. It lies in $RUN under one of these
# names: devnet, of which nothing lasts; kept, whose simulated network lasts as long as what the caller gave; outside, with
# a node of others; demo.

# Where the folders of stacks are.
RUN=$(realpath --canonicalize-missing "${TRON_PAYOUTS_RUN:-$ROOT/.run}")
# Shown in other commands' files.
# shellcheck disable=SC2034
readonly RUN
readonly WORKERS=(ingest scheduler monitor signer)
# How long a worker may take to be ready, in seconds.
readonly PATIENCE_TO_START=60

# The stack's folder. Others may pass through it, as PostgreSQL's user must, and read nothing.
make_stack_folder() {
  mkdir -p "$STACK/pids" "$STACK/log" "$STACK/secrets"
  chmod 711 "$STACK"
  chmod 700 "$STACK/pids" "$STACK/log" "$STACK/secrets"
}

# Whether KEY or KEY_FILE is set to anything.
is_given() {
  local file=${1}_FILE
  [ -n "${!1:-}" ] || [ -n "${!file:-}" ]
}

# Sets KEY unless the caller has given it or KEY_FILE.
default() { is_given "$1" || export "$1=$2"; }

# default_secret KEY NAME COMMAND...: likewise by a file in the stack, made once from what the command prints.
default_secret() {
  local key=$1 file=$STACK/secrets/$2
  shift 2
  ! is_given "$key" || return 0
  if [ ! -e "$file" ]; then
    "$@" >"$file.new"
    mv "$file.new" "$file"
  fi
  export "${key}_FILE=$file"
}

# What KEY, or the file that KEY_FILE names, says; nothing where neither is set.
value_of() {
  local file=${1}_FILE
  if [ -n "${!1:-}" ]; then printf '%s' "${!1}"; elif [ -n "${!file:-}" ]; then cat "${!file}"; fi
}

# The name of the stack's folder. What a caller gave outlives a start. A new network, wallet or database beside it would be
# taken for a loss: of the declared journal, or of the payouts that the log of intents in Redis tells of.
stack_name() {
  local key
  if is_given TRON_RPC_URL; then
    printf outside
    return 0
  fi
  for key in DATABASE_URL REDIS_URL SIGNER_STATE_DIR DEVNET_STATE_FILE; do
    if is_given "$key"; then
      printf kept
      return 0
    fi
  done
  printf devnet
}

# Sets $BIN to the folder of the programs: the caller's $TRON_PAYOUTS_BIN, else built in the debug configuration, as ops/test
# does: one build folder, one cold build.
build_programs() {
  if [ -n "${TRON_PAYOUTS_BIN:-}" ]; then
    BIN=$(realpath --canonicalize-missing "$TRON_PAYOUTS_BIN")
    local program
    for program in "${WORKERS[@]}" payoutctl devnet; do
      [ -x "$BIN/$program" ] || die "TRON_PAYOUTS_BIN: no program $program in $BIN; build it, or leave this unset"
    done
    say "using the programs in $BIN"
    return 0
  fi
  say "building (debug configuration, as the tests do; the first time takes many minutes)"
  (cd "$ROOT" && swift build >&2)
  BIN=$(cd "$ROOT" && swift build --show-bin-path)
}

# The seal's key pair: Ed25519 (RFC 8410; the prefix is PKCS #8 around the 32 bytes).
new_seal_key() { printf 'local:%s' "$(openssl rand -hex 32)"; }
public_seal_key() {
  local key=${INTENT_SEAL_KEY:-}
  [ -n "$key" ] || key=$(cat "$INTENT_SEAL_KEY_FILE")
  printf '%s:' "${key%%:*}"
  printf '302e020100300506032b657004220420%s' "${key#*:}" | python3 -c \
    'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' |
    openssl pkey -inform DER -pubout -outform DER | tail -c 32 | od -An -v -tx1 | tr -d ' \n'
}

# A bearer token: JWT, HS256, good for 30 days. The key is read from the file and shown to no other process.
bearer_token() {
  python3 - "$1" "$2" <<'PYTHON'
import base64, hashlib, hmac, json, os, sys, time

def part(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")

path = os.environ.get("JWT_SECRET_KEY_FILE")
key = open(path, "rb").read().removesuffix(b"\n") if path else os.environ["JWT_SECRET_KEY"].encode()
now = int(time.time())
claims = {"sub": sys.argv[1], "role": sys.argv[2], "iat": now, "exp": now + 30 * 86400}
text = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()) + b"." + part(json.dumps(claims).encode())
print((text + b"." + part(hmac.digest(key, text, hashlib.sha256))).decode(), end="")
PYTHON
}

# The wallet: the caller's, else a keystore in the stack under a random passphrase. Sets $WALLET where that is known.
prepare_wallet() {
  WALLET=
  if is_given TRON_PRIVATE_KEY; then return 0; fi
  if ! is_given TRON_KEYSTORE_FILE; then
    export TRON_KEYSTORE_FILE=$STACK/wallet.json
    default_secret TRON_KEYSTORE_PASSPHRASE keystore-passphrase random_word
    if [ ! -e "$TRON_KEYSTORE_FILE" ]; then
      say "making a wallet"
      "$BIN/payoutctl" keystore create >>"$STACK/log/payoutctl.log"
    fi
  fi
  WALLET=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1])).get("address") or "")' \
    "${TRON_KEYSTORE_FILE:-}" 2>/dev/null) || WALLET=
}

# The simulated network, with money for the wallet; in a kept stack the one of the last start. Sets TRON_RPC_URL, TRON_NETWORK
# and TRON_GENESIS_BLOCK_ID.
start_devnet() {
  [ -n "$WALLET" ] || is_given DEVNET_FUND || die "set DEVNET_FUND=address:TRX:USDT for the wallet of TRON_PRIVATE_KEY"
  default DEVNET_FUND "$WALLET:100000:1000000"
  default DEVNET_PORT 0
  default DEVNET_BLOCK_MS 3000
  [ "$STACK" != "$RUN/kept" ] || default DEVNET_STATE_FILE "$STACK/chain"
  say "starting a simulated TRON network, a block every $(value_of DEVNET_BLOCK_MS) ms"
  start_process devnet "$BIN/devnet"
  wait_until 30 "devnet" devnet grep -q '^TRON_RPC_URL=' "$STACK/log/devnet.log" || die "devnet did not start"
  TRON_RPC_URL=$(sed -n 's/^TRON_RPC_URL=//p' "$STACK/log/devnet.log" | tail -n 1)
  TRON_GENESIS_BLOCK_ID=$(sed -n 's/^TRON_GENESIS_BLOCK_ID=//p' "$STACK/log/devnet.log" | tail -n 1)
  export TRON_RPC_URL TRON_GENESIS_BLOCK_ID TRON_NETWORK=devnet
  unset TRON_GENESIS_BLOCK_ID_FILE TRON_NETWORK_FILE
  note "its node answers at $TRON_RPC_URL"
}

# Declares the Signer; harmless where that was done before.
initialize_signer() {
  default SIGNER_NAME signer
  default SIGNER_STATE_DIR "$STACK/signer"
  say "declaring the Signer"
  "$BIN/payoutctl" signer init | sed 's/^/   /' >&2 ||
    die "the Signer is not declared. What $STACK holds belongs to one database and one network: for others set" \
      "TRON_PAYOUTS_RUN to another folder"
}

# start_worker NAME [-u VARIABLE]... [VARIABLE=VALUE]...: with the caller's environment but for these, under its own name
# and with a free port of its own for its health endpoints.
start_worker() {
  local name=$1
  shift
  choose_port "$name"
  start_process "$name" env -u SERVICE_NAME -u SERVICE_NAME_FILE -u METRICS_PORT_FILE "$@" METRICS_PORT="${PORTS[$name]}" \
    "$BIN/$name"
}

# Where a worker's health endpoints are.
health_url() { url_of "$(value_of METRICS_HOST)" "${PORTS[$1]}"; }

# Whether a worker says that it is ready for its work.
worker_is_ready() {
  is_running "$1" && curl --silent --fail --noproxy '*' --max-time 2 "$(health_url "$1")/ready"
}

# What a worker that needs no key is not given: Ingest's keys, and the wallet's.
readonly HIDE_KEYS=(-u JWT_SECRET_KEY -u JWT_SECRET_KEY_FILE -u API_GATEWAY_TOKEN -u API_GATEWAY_TOKEN_FILE
  -u INTENT_SEAL_KEY -u INTENT_SEAL_KEY_FILE)
readonly HIDE_WALLET=(-u TRON_PRIVATE_KEY -u TRON_PRIVATE_KEY_FILE -u TRON_KEYSTORE_FILE -u TRON_KEYSTORE_FILE_FILE
  -u TRON_KEYSTORE_PASSPHRASE -u TRON_KEYSTORE_PASSPHRASE_FILE)

start_signer() { start_worker signer "${HIDE_KEYS[@]}"; }

# Returns when a worker is ready for its work.
await_worker() {
  wait_until "$PATIENCE_TO_START" "$1" "$1" worker_is_ready "$1" || die "$1 did not get ready"
  note "$1 is ready"
}

# Starts all four workers and returns when each is ready.
start_workers() {
  default_secret JWT_SECRET_KEY jwt-key openssl rand -hex 32
  default_secret INTENT_SEAL_KEY seal-key new_seal_key
  # The private key may be another one than at the last start.
  rm -f "$STACK/secrets/seal-public-key"
  default_secret INTENT_SEAL_PUBLIC_KEY seal-public-key public_seal_key
  say "starting ${WORKERS[*]}"
  PORTS[api]=$(value_of PORT)
  case ${PORTS[api]} in "" | 0) choose_port api ;; esac
  start_worker scheduler "${HIDE_KEYS[@]}" "${HIDE_WALLET[@]}"
  start_worker monitor "${HIDE_KEYS[@]}" "${HIDE_WALLET[@]}"
  start_signer
  start_worker ingest "${HIDE_WALLET[@]}" -u PORT_FILE PORT="${PORTS[api]}"
  local name
  for name in "${WORKERS[@]}"; do await_worker "$name"; done
  API_URL=$(url_of "$(value_of HOST)" "${PORTS[api]}")
}

# Everything from nothing to a working installation, with what the environment brings.
start_stack() {
  # What is made from here on holds secrets, or data of payouts.
  umask 077
  default LUCID_ENV dev
  default LOG_FORMAT json
  is_given REDIS_URL || start_redis
  is_given DATABASE_URL || start_postgres
  prepare_wallet
  is_given TRON_RPC_URL || start_devnet
  initialize_signer
  start_workers
}

# Ends what the stack started, those first that others do not need.
stop_stack() {
  [ -d "$STACK/pids" ] || return 0
  stop_processes TERM "${WORKERS[@]}"
  # The receiver of webhooks is the demo's alone.
  stop_processes TERM devnet redis receiver
  # SIGINT is PostgreSQL's fast shutdown: sessions are ended and all is written out.
  stop_processes INT postgres
  # What this command started a moment ago and, interrupted, had not recorded yet.
  local pid
  for pid in $(jobs -pr); do kill -s TERM "$pid" 2>/dev/null || true; done
}

# Whether anything of it runs.
stack_is_running() {
  local name
  for name in "${WORKERS[@]}" devnet redis postgres; do
    if is_running "$name"; then return 0; fi
  done
  return 1
}

# What a program or a person needs to use the stack, as lines for a shell.
write_environment() {
  local key file
  {
    printf 'API_URL=%q\nAPI_TOKEN=%q\n' "$API_URL" "$(bearer_token operator admin)"
    [ -z "$WALLET" ] || printf 'WALLET_ADDRESS=%q\n' "$WALLET"
    for key in LUCID_ENV DATABASE_URL REDIS_URL TRON_RPC_URL TRON_SOLIDITY_URL TRON_NETWORK TRON_GENESIS_BLOCK_ID \
      TOR_ENABLED TOR_PROXY USDT_CONTRACT_ADDRESS REQUIRED_CONFIRMATIONS TRON_KEYSTORE_FILE TRON_KEYSTORE_PASSPHRASE \
      SIGNER_NAME SIGNER_STATE_DIR INTENT_SEAL_PUBLIC_KEY; do
      file=${key}_FILE
      [ -z "${!key:-}" ] || printf '%s=%q\n' "$key" "${!key}"
      [ -z "${!file:-}" ] || printf '%s=%q\n' "$file" "${!file}"
    done
    for key in "${WORKERS[@]}"; do
      printf '%s_HEALTH_URL=%q\n' "${key^^}" "$(health_url "$key")"
    done
    printf 'LOG_FOLDER=%q\n' "$STACK/log"
  } >"$1"
}
