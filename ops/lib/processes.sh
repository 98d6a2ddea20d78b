# shellcheck shell=bash
# Starts processes in the background and ends exactly those again, by recorded pids. Sourced, never run.
#
# $STACK/pids/NAME holds a pid and the time at which that process began, in the kernel's ticks: a pid that was given to
# another process meanwhile is recognized and left alone. Every process has a session of its own, so that Ctrl-C at the
# terminal reaches the command alone, which then ends them in order.

# How long a process may take to end before it is killed, in tenths of a second; workers drain for up to 25 s.
readonly PATIENCE_TO_END=300

# When a process began; empty where there is none. The name in field 2 may hold anything, so fields count from its end.
begin_of() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  # A process that has ended and was not reaped yet is none.
  [ "$1" = Z ] || printf '%s' "${20}"
}

# start_process NAME COMMAND...: in a session of its own, its output in $STACK/log/NAME.log.
start_process() {
  local name=$1
  shift
  # The locks of this command are not the process's.
  setsid "$@" >>"$STACK/log/$name.log" 2>&1 </dev/null 8>&- 9>&- &
  printf '%s %s\n' "$!" "$(begin_of "$!")" >"$STACK/pids/$name"
}

# The pid of a process of ours that is running; nothing else.
pid_of() {
  local pid began
  [ -e "$STACK/pids/$1" ] || return 0
  read -r pid began <"$STACK/pids/$1" || return 0
  [ -n "$began" ] && [ "$(begin_of "$pid")" = "$began" ] && printf '%s' "$pid"
  return 0
}

is_running() { [ -n "$(pid_of "$1")" ]; }

# stop_processes SIGNAL NAME...: asks all of them at once, waits, and kills what does not end.
stop_processes() {
  local signal=$1 name pid tries=0 left
  shift
  for name in "$@"; do
    pid=$(pid_of "$name")
    [ -z "$pid" ] || kill -s "$signal" "$pid" 2>/dev/null || true
  done
  while :; do
    left=()
    for name in "$@"; do
      if is_running "$name"; then left+=("$name"); else rm -f "$STACK/pids/$name"; fi
    done
    [ "${#left[@]}" -gt 0 ] || return 0
    if [ "$tries" = "$PATIENCE_TO_END" ]; then
      note "${left[*]} did not end in time: killed"
      for name in "${left[@]}"; do kill -s KILL "$(pid_of "$name")" 2>/dev/null || true; done
    fi
    sleep 0.1
    tries=$((tries + 1))
  done
}

# wait_until SECONDS WHAT NAME COMMAND...: tries the command until it succeeds; gives up when the process NAME has ended
# or the time is over, and shows the end of its log.
wait_until() {
  local end=$((SECONDS + $1)) what=$2 name=$3
  shift 3
  # In a shell of its own, so that a signal that comes meanwhile finds this command's own standard error.
  until ("$@") >/dev/null 2>&1; do
    if ! is_running "$name" || [ "$SECONDS" -ge "$end" ]; then
      if is_running "$name"; then note "$what: waited in vain"; else note "$what: $name has ended"; fi
      show_log "$name"
      return 1
    fi
    sleep 0.1
  done
}

# The last lines of a process's log.
show_log() {
  note "the end of $STACK/log/$1.log:"
  tail -n 15 "$STACK/log/$1.log" 2>/dev/null | sed 's/^/   | /' >&2 || true
}

# A port on 127.0.0.1 that nobody listens on, below the range from which outgoing connections take theirs.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s' "$port"
}

# Ports chosen for processes that are told theirs, by what each is for.
declare -A PORTS=()

# choose_port WHAT: sets ${PORTS[WHAT]} to a free port that is chosen for nothing else.
choose_port() {
  local port
  while :; do
    port=$(free_port)
    [[ " ${PORTS[*]} " == *" $port "* ]] || break
  done
  PORTS[$1]=$port
}

# url_of HOST PORT: where a server is asked from this machine that was told to listen there; no HOST is 127.0.0.1.
url_of() {
  local host=$1
  case $host in
  "" | 0.0.0.0) host=127.0.0.1 ;;
  ::) host=[::1] ;;
  *:*) host=[$host] ;;
  esac
  printf 'http://%s:%s' "$host" "$2"
}
