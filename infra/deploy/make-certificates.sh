#!/bin/sh
# Certificates for mutual TLS between agents and brokers.
#   make-certificates.sh DIR                         the authority, once; keep ca.key away from every server
#   make-certificates.sh DIR broker NAME [NAME ...]  one for a broker's front, for these DNS names or addresses
#   make-certificates.sh DIR agent HOST_ID           one for an agent
# DAYS=90 changes how long certificates are good for; the authority lasts ten years.
set -eu

usage() {
  sed -n '3,6s/^# *//p' "$0" >&2
  exit 2
}
[ $# -ge 1 ] || usage
dir=$1
days=${DAYS:-90}
umask 077
mkdir -p "$dir"

sign() { # NAME COMMON_NAME EXTENSIONS
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" \
    -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n%s\n' "$3" >"$dir/$1.ext"
  openssl x509 -req -in "$dir/$1.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -days "$days" -sha256 \
    -set_serial "0x$(openssl rand -hex 16)" -extfile "$dir/$1.ext" -out "$dir/$1.crt" 2>/dev/null
  rm "$dir/$1.csr" "$dir/$1.ext"
  echo "$dir/$1.crt"
}

if [ $# -eq 1 ]; then
  [ ! -e "$dir/ca.key" ] || { echo "error $dir/ca.key is there; a new authority would shut every agent out" >&2; exit 1; }
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj "/CN=Centroid" \
    -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$dir/ca.key" -out "$dir/ca.crt" 2>/dev/null
  echo "$dir/ca.crt"
  exit 0
fi
[ -e "$dir/ca.key" ] || { echo "error no authority in $dir; make it first: $0 $dir" >&2; exit 1; }
kind=$2
shift 2
[ $# -ge 1 ] || usage
case $kind in
broker)
  names=
  for name in "$@"; do
    case $name in
    *[!0-9.]*) names="$names,DNS:$name" ;;
    *) names="$names,IP:$name" ;;
    esac
  done
  sign broker "$1" "extendedKeyUsage=serverAuth
subjectAltName=${names#,}"
  ;;
agent) sign "agent-$1" "$1" "extendedKeyUsage=clientAuth" ;;
*) usage ;;
esac
