#!/bin/sh
# geo.sh DIR: brings a country database in MaxMind format from the npm registry.
# Source: https://github.com/sapics/ip-location-db, geo-whois-asn-country, CC0-1.0.
set -eu
directory=$1
command -v npm >/dev/null || { echo "geo.sh: npm is missing (apt install npm)" >&2; exit 1; }
mkdir -p "$directory"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
npm pack --silent --pack-destination "$scratch" @ip-location-db/geo-whois-asn-country-mmdb >/dev/null
tar -xzf "$scratch"/*.tgz -C "$scratch" package/geo-whois-asn-country.mmdb package/NRO_LICENSE
mv "$scratch/package/geo-whois-asn-country.mmdb" "$directory/country.mmdb"
mv "$scratch/package/NRO_LICENSE" "$directory/country.LICENSE"
echo "$directory/country.mmdb is in place; name it under geo.databases in the configuration"
