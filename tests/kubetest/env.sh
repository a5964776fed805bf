# shellcheck shell=bash disable=SC2034
# (the scripts that source it use its variables)
# Shared by the scripts beside it; source it, do not run it.
# Everything that the cluster makes lies under KT_DIR.
: "${KT_DIR:=${XDG_CACHE_HOME:-$HOME/.cache}/odigos-dev/kubetest}"
case $KT_DIR in /*) ;; *) echo "KT_DIR must be an absolute path" >&2; exit 2 ;; esac
KT_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

KT_K8S_VERSION=1.34.4               # must agree with build/go.mod
KT_NODE=${KT_NODE:-node1}           # name of the one node
KT_HOST_IP=${KT_HOST_IP:-10.97.0.1} # our end of the link to the node
KT_NODE_IP=${KT_NODE_IP:-10.97.0.2} # the node's end
KT_POD_CIDR=10.244.0.0/24
KT_SVC_CIDR=10.96.0.0/16
KT_DNS_IP=10.96.0.10
KT_LINK=${KT_LINK:-kt0}             # name of our end of the link
KT_CGROUP=${KT_CGROUP:-kubetest}    # cgroup (v1) above all pods
KT_PAUSE=kubetest.local/pause:1

BIN=$KT_DIR/bin ROOT=$KT_DIR/debroot PKI=$KT_DIR/pki ETC=$KT_DIR/etc
PIDS=$KT_DIR/pids LOGS=$KT_DIR/log
export PATH=$BIN:$ROOT/usr/sbin:$ROOT/usr/bin:$ROOT/sbin:$ROOT/bin:$PATH
# the unpacked Debian packages find their libraries here
KT_LIBS=(env "LD_LIBRARY_PATH=$ROOT/usr/lib/x86_64-linux-gnu:$ROOT/lib/x86_64-linux-gnu"
  "XTABLES_LIBDIR=$ROOT/usr/lib/x86_64-linux-gnu/xtables")
export KUBECONFIG=$KT_DIR/kubeconfig

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }
die() { say "$*"; exit 1; }

# pid of the process recorded as NAME, if that very process still runs:
# the file holds its pid and its start time, so a pid used again does not count
kt_pid() {
  local f=$PIDS/$1 pid start now
  [[ -s $f ]] || return 1
  read -r pid start <"$f"
  now=$(awk '{sub(/^.*\) /, ""); if ($1 == "Z") exit 1; print $20}' "/proc/$pid/stat" 2>/dev/null) || return 1
  [[ $now == "$start" ]] && echo "$pid"
}
kt_record() { # NAME PID
  mkdir -p "$PIDS"
  echo "$2 $(awk '{sub(/^.*\) /, ""); print $20}' "/proc/$2/stat")" >"$PIDS/$1"
}

# run a command in the node's namespaces (mounts, network, pids)
kt_in() {
  local init
  init=$(kt_pid init) || die "the node is not up"
  nsenter -t "$init" --mount --net --pid -- "${KT_LIBS[@]}" "$@"
}

# start NAME COMMAND...: a daemon in the node, its output in log/NAME.log
kt_daemon() {
  local name=$1 init; shift
  kt_pid "$name" >/dev/null && return 0
  init=$(kt_pid init) || die "the node is not up"
  # nsenter forks into the pid namespace; the daemon is its only child
  setsid nsenter -t "$init" --mount --net --pid -- "${KT_LIBS[@]}" "$@" \
    </dev/null >>"$LOGS/$name.log" 2>&1 9>&- &
  local ns=$! pid='' i
  for ((i = 0; i < 100; i++)); do
    pid=$(tr -d ' ' <"/proc/$ns/task/$ns/children" 2>/dev/null) || true
    [[ -n $pid ]] && break
    sleep 0.02
  done
  [[ -n $pid ]] || die "$name did not start, see $LOGS/$name.log"
  kt_record "$name" "$pid"
}

# end the process recorded as NAME and wait until it is gone
kt_stop() {
  local pid i
  pid=$(kt_pid "$1") || { rm -f "$PIDS/$1"; return 0; }
  kill "${2:--TERM}" "$pid" 2>/dev/null || true
  for ((i = 0; i < 200; i++)); do kt_pid "$1" >/dev/null || break; sleep 0.05; done
  if kt_pid "$1" >/dev/null; then
    kill -KILL "$pid" 2>/dev/null || true
    for ((i = 0; i < 100; i++)); do kt_pid "$1" >/dev/null || break; sleep 0.05; done
  fi
  rm -f "$PIDS/$1"
}

# wait SECONDS WHAT COMMAND...: until COMMAND succeeds
kt_wait() {
  local secs=$1 what=$2 end; shift 2
  end=$((SECONDS + secs))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || die "waited $secs s in vain for $what (logs in $LOGS)"
    sleep 0.2
  done
}
