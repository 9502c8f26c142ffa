#!/bin/bash
# Checks the vectors by the words of docs/formats/recording.md and evidence.md, with nothing of the bastion: age,
# sha256sum, openssl, zstd, xxd. Each line that fails names its step. Exit 77: a tool is missing.
set -euo pipefail
cd "$(dirname "$0")"
for tool in age sha256sum openssl xxd zstd; do
    command -v "$tool" >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sid=41414141414141414141414141414141
rec=recordings/2026/11/23/$sid.rec
key=recordings/2026/11/23/$sid.key.age

hex() { xxd -p -s "$1" -l "$2" "$3" | tr -d '\n'; } # OFFSET LENGTH FILE
num() { echo $((16#$(hex "$@"))); }
sum() { sha256sum | cut -d' ' -f1; }
raw() { xxd -r -p; }
same() { # STEP WANTED GOT
    [ "$2" = "$3" ] || { echo "FAILED: $1: wanted $2, got $3"; exit 1; }
    echo "ok: $1"
}

# The public key: base64 of 1 and 32 bytes, after the second "+".
cut -d+ -f3- log.pub | openssl base64 -d -A | tail -c 32 >"$work/public"
{ echo 302a300506032b6570032100 | raw; cat "$work/public"; } | openssl pkey -pubin -inform DER -out "$work/public.pem"

# Head
same "magic" 42524543310a0000 "$(hex 0 8 $rec)"
head_len=$((12 + $(num 8 4 $rec)))
same "suite" 0001 "$(hex 12 2 $rec)"
same "session id" $sid "$(hex 14 16 $rec)"
same "hash of the key file" "$(sum <$key)" "$(hex 46 32 $rec)"
same "log key in the head" "$(xxd -p -c 32 "$work/public")" "$(hex 78 32 $rec)"
chain=$({ printf 'BREC1 header'; head -c $head_len $rec; } | sum)
same "chain of the head = open leaf" "$(awk '$1 == "open" {print $4}' evidence/leaves)" "$chain"

# The content key, by stock age
content_key=$(age -d -i identity.txt $key | xxd -p -c 32)
same "content key" "$(printf '42%.0s' {1..32})" "$content_key"

# Frames
at=$head_len
size=$(stat -c %s $rec)
while [ $at -lt $size ]; do
    body_len=$(num $at 4 $rec)
    type=$(hex $((at + 4)) 1 $rec | raw)
    flags=$(num $((at + 5)) 1 $rec)
    seq=$(hex $((at + 8)) 8 $rec)
    end=$((at + 24 + body_len))
    if [ "$type" = D ]; then
        # ChaCha20 alone, from block 1 on, gives the text; the 16 bytes of the tag are left out here.
        tail -c +$((at + 25)) $rec | head -c $((body_len - 16)) |
            openssl enc -d -chacha20 -K "$content_key" -iv "0100000000000000$seq" >"$work/text"
        if [ "$flags" = 1 ]; then
            zstd -q -d -c <"$work/text" >"$work/plain"
        else
            cp "$work/text" "$work/plain"
        fi
        cat "$work/plain" >>"$work/records"
    else
        if [ "$type" = C ]; then signature=$((at + 24 + 56)); else signature=$((end - 4 - 64)); fi
        same "frame $((16#$seq)) ($type): bytes before it" $at "$(num $((at + 24)) 8 $rec)"
        same "frame $((16#$seq)) ($type): chain before it" "$chain" "$(hex $((at + 48)) 32 $rec)"
        { printf 'BREC1 checkpoint\n'; echo $sid | raw; tail -c +$((at + 1)) $rec | head -c $((signature - at)); } >"$work/signed"
        tail -c +$((signature + 1)) $rec | head -c 64 >"$work/signature"
        openssl pkeyutl -verify -pubin -inkey "$work/public.pem" -rawin -in "$work/signed" -sigfile "$work/signature" \
            >/dev/null || { echo "FAILED: signature of frame $((16#$seq))"; exit 1; }
        echo "ok: frame $((16#$seq)) ($type): signature"
        # HKDF-SHA256 without salt, 32 bytes: two HMACs
        extracted=$(echo "$content_key" | raw | openssl dgst -sha256 -mac HMAC -macopt hexkey:"$(printf '00%.0s' {1..32})" | awk '{print $NF}')
        content_key=$({ printf 'BREC1 ratchet'; printf '\001'; } | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$extracted" | awk '{print $NF}')
    fi
    chain=$({ printf '\001'; echo "$chain" | raw; tail -c +$((at + 1)) $rec | head -c $((end - at)); } | sum)
    at=$end
done
same "chain of the whole file = close leaf" "$(awk '$1 == "close" {print $5}' evidence/leaves)" "$chain"
same "size of the file = close leaf" "$(awk '$1 == "close" {print $4}' evidence/leaves)" "$size"
grep -q 'uid=1000(ec2-user)' "$work/records" || { echo "FAILED: the records do not hold the output"; exit 1; }
echo "ok: decrypted records"

# Evidence: four leaves make a perfect tree.
mapfile -t leaves <evidence/leaves
leaf() { { printf '\000'; printf '%s' "$1"; } | sum; }
node() { { printf '\001'; echo "$1$2" | raw; } | sum; }
same "number of leaves" 4 "${#leaves[@]}"
root=$(node "$(node "$(leaf "${leaves[0]}")" "$(leaf "${leaves[1]}")")" "$(node "$(leaf "${leaves[2]}")" "$(leaf "${leaves[3]}")")")
same "root = checkpoint" "$(sed -n 3p evidence/checkpoint | openssl base64 -d -A | xxd -p -c 32)" "$root"
same "size = checkpoint" 4 "$(sed -n 2p evidence/checkpoint)"
sed -n 1,3p evidence/checkpoint >"$work/note"
sed -n 5p evidence/checkpoint | awk '{print $3}' | openssl base64 -d -A >"$work/blob"
same "key id" "$(cut -d+ -f2 log.pub)" "$(hex 0 4 "$work/blob")"
same "key id is a hash of the key" "$({ printf 'vector-host\n\001'; cat "$work/public"; } | sum | cut -c1-8)" "$(hex 0 4 "$work/blob")"
tail -c 64 "$work/blob" >"$work/signature"
openssl pkeyutl -verify -pubin -inkey "$work/public.pem" -rawin -in "$work/note" -sigfile "$work/signature" >/dev/null ||
    { echo "FAILED: signature of the checkpoint"; exit 1; }
echo "ok: signature of the checkpoint"
