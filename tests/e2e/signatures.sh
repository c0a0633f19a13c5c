# SPDX-License-Identifier: GPL-3.0-or-later
# Signatures of packages: the five verdicts and what --unsigned makes of them on packages
# of our own; then every real catalog and driver file against osslsigncode, openssl and
# sha*sum, which share no code with gild's.
. "${GILD_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh" || exit 1
need jq osslsigncode openssl
mksample=$GILD_BUILD/samples/mksample mkdrivers=$GILD_BUILD/samples/mkdrivers
sigtool=$GILD_BUILD/tests/sigtool
[ -x "$mksample" ] || skip_all "mksample is not built (libhivex-dev)"
cd "$scratch" || exit 1
"$mkdrivers" p || exit 1
"$mksample" wim x64.wim --plain || exit 1
"$mksample" wim x86.wim --plain --arch=x86 || exit 1

# try IMAGE PACKAGE OPTION...: into a copy; the report is in r.json, the exit code in $code
try() {
	local image=$1 package=$2
	shift 2
	cp "$image" t.wim
	"$GILD" inject t.wim --driver="$package" --json "$@" >r.json 2>"$scratch/.out"
	code=$?
}
# what: verdict, signature and signer's kind of the only package, and the exit code
what() { echo "$(jq -r '.packages[0] | [.verdict, .signature, .signer_kind // "-"] | join(" ")' r.json) $code"; }
said() { jq -r '.packages[0] | [.reason // empty, .signature_reason // empty, .remarks[]] | .[]' r.json; }
says() { # WHAT TEXT
	said >said.txt
	ok "$1" grep -qF -- "$2" said.txt
}

# ---- the sample packages are what they seem, by another program -----------------------------
openssl pkcs7 -inform DER -in p/exstor/exstor.cat -print_certs | awk '/BEGIN/ {n++} n == 2' >root.pem
for f in p/exstor/amd64/exstor.sys p/exstor/x86/exstor.sys p/exnic/exnic.sys; do
	ok "osslsigncode verifies $f" osslsigncode verify -CAfile root.pem -in "$f"
	cat=$(echo "${f%%/*}/$(echo "$f" | cut -d/ -f2)"/*.cat)
	ok "and by its catalog" osslsigncode verify -CAfile root.pem -catalog "$cat" -in "$f"
done
"$mkdrivers" again exstor
ok "the same bytes every time" diff -r p/exstor again/exstor

# ---- untrusted ------------------------------------------------------------------------------
try x64.wim p/exstor
is "a test root's signature" "$(what)" "added untrusted test 0"
says "is explained" "comes from Sample Driver Test Root, a root of its own"
says "and what follows from it" "0xC0000428"
is "its signer" "$(jq -r '.packages[0].signer' r.json)" "Sample Driver Test Signer"
cp x64.wim t.wim
"$GILD" inject t.wim --driver=p/exstor >text
ok "in the table, too" grep -q "added *boot-critical, signature untrusted$" text
try x64.wim p/exstor --unsigned=refuse
is "is refused on request" "$(what)" "refused untrusted test 3"
ok "and nothing is written" cmp t.wim x64.wim
try x64.wim p/exstor --unsigned=allow
is "and allowed" "$(what)" "added untrusted test 0"
try x64.wim p/exnic
is "a network driver of the same signer" "$(what)" "added untrusted test 0"
try x64.wim p/exnic --unsigned=refuse
is "is refused on request too" "$(what)" "refused untrusted test 3"
fails 2 "--unsigned takes three words" "$GILD" inject x64.wim --driver=p/exnic --unsigned=yes

# ---- unsigned -------------------------------------------------------------------------------
try x64.wim p/exstor-unsigned
is "an unsigned boot driver for x64" "$(what)" "refused unsigned - 3"
says "would keep Windows from starting" "Windows would not start (--unsigned=allow"
ok "and nothing is written" cmp t.wim x64.wim
try x64.wim p/exstor-unsigned --unsigned=allow
is "goes in on request" "$(what)" "added unsigned - 0"
says "with a warning" "starts only with signature enforcement off"
try x86.wim p/exstor-unsigned
is "x86 starts it" "$(what)" "added unsigned - 0"
try x86.wim p/exstor-unsigned --unsigned=refuse
is "unless it is refused" "$(what)" "refused unsigned - 3"
cp -r p/exnic nic && rm nic/exnic.cat
osslsigncode remove-signature -in nic/exnic.sys -out nic/x >/dev/null && mv nic/x nic/exnic.sys
try x64.wim nic
is "an unsigned network driver for x64" "$(what)" "added unsigned - 0"
cp -r p/exstor embedded && rm embedded/exstor.cat
try x64.wim embedded
is "a boot driver that is signed itself, without a catalog" "$(what)" "added unsigned - 0"
cp -r p/exstor bare
osslsigncode remove-signature -in bare/amd64/exstor.sys -out bare/x >/dev/null && mv bare/x bare/amd64/exstor.sys
try x64.wim bare
is "one that only the catalog signs" "$(what)" "added untrusted test 0"
echo "This is no catalog." >bare/exstor.cat
try x64.wim bare
is "and one that a text signs" "$(what)" "refused unsigned - 3"

# ---- mismatch -------------------------------------------------------------------------------
cp -r p/exstor m
printf '\001' | dd of=m/amd64/exstor.sys bs=1 seek=3000 conv=notrunc status=none
printf '\001' | dd of=m/x86/exstor.sys bs=1 seek=3000 conv=notrunc status=none
try x64.wim m
is "a changed boot driver" "$(what)" "refused mismatch test 3"
says "is named" "amd64/exstor.sys"
try x86.wim m
is "x86 is told" "$(what)" "added mismatch test 0"
says "by name" "x86/exstor.sys is not what exstor.cat has the digest of"
cp p/exstor/amd64/exstor.sys m/amd64/ && cp p/exstor/x86/exstor.sys m/x86/
printf '; changed\r\n' >>m/exstor.inf
try x64.wim m
is "a changed INF with a driver that is signed itself" "$(what)" "added mismatch test 0"
says "is named too" "exstor.inf is not what exstor.cat has the digest of"
try x64.wim m --unsigned=refuse
is "and refused on request" "$(what)" "refused mismatch test 3"
cp p/exstor/exstor.inf m/ && cp p/exstor-1.1/exstor.cat m/
try x64.wim m
is "another version's catalog" "$(what)" "added mismatch test 0"
head -c 1500 p/exstor/exstor.cat >m/exstor.cat
try x64.wim m
is "a catalog that was cut off" "$(what)" "added mismatch - 0"
says "is damaged" "exstor.cat: the catalog is damaged"
# In the list, in the signed attributes, in the signature.
size=$(stat -c %s p/exstor/exstor.cat)
digest=$(openssl asn1parse -inform DER -in p/exstor/exstor.cat |
	awk -F: '/messageDigest/ {getline; getline; print $1 + 4}')
for at in 400 "$digest" $((size - 20)); do
	cp p/exstor/exstor.cat m/
	printf 'XY' | dd of=m/exstor.cat bs=1 seek="$at" conv=notrunc status=none
	try x64.wim m
	is "a catalog changed at $at" "$(what | cut -d' ' -f1,2,4)" "added mismatch 0"
done

# ---- what the image gets to know ------------------------------------------------------------
score() { # FOLDER: SignerScore and SignerName
	rm -rf tree && "$mksample" tree tree >/dev/null
	"$GILD" inject tree --driver="$1" --json --unsigned=allow >r.json 2>/dev/null
	local key
	key="DriverDatabase\\DriverPackages\\$(jq -r '.packages[0].store' r.json)"
	for hive in SYSTEM DRIVERS; do
		hivexregedit --export "tree/Windows/System32/config/$hive" "$key" 2>/dev/null |
			grep -aE '^"Signer(Score|Name)"' | cut -c1-70
	done
}
if command -v hivexregedit >/dev/null; then
	is "a test signature counts as none" "$(score p/exstor)" '"SignerScore"=dword:80000000'
	is "so does none" "$(score nic)" '"SignerScore"=dword:80000000'
fi
"$mksample" wim two.wim --plain --images=2
cp two.wim t.wim
"$GILD" inject t.wim --index=all --driver=p/exstor --driver=p/exnic --json >r.json
is "every index has its verdicts" "$(jq -r '[.packages[].signature] | join(" ")' r.json)" \
	"untrusted untrusted untrusted untrusted"

# A package that is staged in the image, and would be started from now on.
"$mksample" tree staged --oem >/dev/null
for f in staged/Windows/System32/DriverStore/FileRepository/examplestaged*/*.sys; do
	osslsigncode remove-signature -in "$f" -out x.sys >/dev/null && cp x.sys "$f"
	rm "${f%/*}"/*.cat
done
cp -a staged kept
fails 3 "any controller: an unsigned package stays as it is" "$GILD" inject kept --any-controller
cp "$scratch/.out" said.txt
ok "and says so" grep -q "oem3.inf: .*no signature is in it" said.txt
ok "any controller: allowed" "$GILD" inject staged --any-controller --unsigned=allow --json
is "it is made ready" "$(jq -r '.any_controller[0].reflected[]' "$scratch/.out")" oem3.inf

# ---- what gild inf says ---------------------------------------------------------------------
inf() { "$GILD" inf "$@" --for=10.0.19041/amd64 --json >i.json; }
inf p/exstor p/exstor-unsigned p/exnic
is "an INF and its catalog" "$(jq -r '.files[] | [.path, .signature, .signer_kind // "-"] | join(" ")' i.json)" \
	"p/exnic/exnic.inf untrusted test
p/exstor-unsigned/exstor.inf unchecked -
p/exstor/exstor.inf untrusted test"
inf m
is "an INF and another's" "$(jq -r '.files[0].signature' i.json)" mismatch
id=$(jq -r '.files[0].models[0].hardware_ids[0]' i.json)
inf p/exstor p/exstor-1.1 --device="$id"
is "a ranking of both is checked" "$(jq -r '.rankings[0] | [.signature, .candidates[].signature] | unique | join(" ")' i.json)" \
	"checked untrusted"
is "and nobody trusts them" "$(jq -r '.rankings[0].candidates[0].rank[:4]' i.json)" 0x80

# ---- real ones ------------------------------------------------------------------------------
data=$GILD_TEST_DATA/inf
if [ ! -d "$data/packages" ]; then
	skip "real catalogs" "set GILD_TEST_DATA"
	done_testing
fi
find "$data" -iname '*.cat' | sort >cats
find "$data" \( -iname '*.sys' -o -iname '*.dll' \) | sort >pes
# shellcheck disable=SC2046
"$sigtool" cat $(cat cats) >cats.gild
# shellcheck disable=SC2046
"$sigtool" pe $(cat pes) >pes.gild
is "every catalog is read" "$(grep -c . cats.gild)" "$(grep -c . cats)"

# What osslsigncode says of each, in the order of cats and pes. The roots do not matter
# here, and reading Debian's takes longest: it gets ours.
theirs() { osslsigncode verify -CAfile root.pem -TSA-CAfile root.pem "$@" 2>/dev/null; }
mkdir said.cats said.pes
for list in cats pes; do
	n=0
	while read -r file; do
		n=$((n + 1))
		theirs -in "$file" >"said.$list/$(printf %04d $n)"
	done <$list
done

# Signer and time stamp: "CN|TIME".
awk '
	function flush() { if (FNR == 1 && NR > 1) print name "|" stamp; }
	FNR == 1 { flush(); name = stamp = "" }
	/Signer #0/ && !name { getline; sub(/.*\/CN=/, ""); name = $0 }
	/Timestamp time:/ && !stamp { sub(/.*Timestamp time: /, ""); stamp = $0 }
	END { print name "|" stamp }' said.cats/* said.pes/* | while IFS='|' read -r name stamp; do
	echo "$name|$([ -z "$stamp" ] || date -u -d "$stamp" +%Y-%m-%dT%H:%M:%SZ)"
done >stamps.theirs
cat cats.gild pes.gild | awk -F'\t' '{ print ($4 == "-" ? "" : $4) "|" ($6 == "-" ? "" : $6) }' >stamps.ours
echo "# signers and time stamps: $(paste -d= stamps.ours stamps.theirs | awk -F= '$1 == $2' | grep -c .) equal of $(grep -c . stamps.ours)"
ok "signers and time stamps are those that osslsigncode reads" diff stamps.ours stamps.theirs

# The digest of every PE file, and whether it is the one that was signed.
: >unequal
n=0 equal=0
while IFS='	' read -r file verdict _ _ _ _ _ _ sha1 sha256; do
	n=$((n + 1))
	digests=$(sed -nE 's/^(Calculated|Current) message digest *: *//p' "said.pes/$(printf %04d $n)" |
		head -n 2 | tr -d ' ' | tr A-F a-f)
	was=${digests%%[[:space:]]*} got=${digests##*[[:space:]]}
	sound=no
	[ "$verdict" = mismatch ] || sound=yes
	if { [ "$got" = "$sha1" ] || [ "$got" = "$sha256" ]; } &&
		[ "$([ "$got" = "$was" ] && echo yes || echo no)" = $sound ]; then
		equal=$((equal + 1))
	else
		echo "$file: $verdict $sha1 $sha256, osslsigncode: $got signed $was" >>unequal
	fi
done <pes.gild
echo "# PE digests: $equal equal, $(grep -c . unequal) unequal"
[ ! -s unequal ]
tap $? "digests of PE files are those that osslsigncode computes" unequal

# Which file is in which catalog: PE files by osslsigncode, INFs by their plain digests.
find "$data/packages" "$data/virtio-built" -iname '*.inf' -print0 | sort -z |
	xargs -0 sh -c 'sha1sum "$@"; sha256sum "$@"' - >sums
: >pairs
while read -r cat; do
	dir=$(dirname "$cat")
	"$GILD_BUILD/tests/catids" "$cat" | awk -F'\t' '$2 == "member" {print $3}' >members
	# Each with those of its name and some others; all with all is for GILD_TEST_FULL.
	find "$dir" -maxdepth 1 \( -iname '*.sys' -o -iname '*.dll' -o -iname '*.inf' \) | sort |
		awk -v stem="/$(basename "$cat" .cat)" -v all="${GILD_TEST_FULL-}" \
			'all != "" || NR <= 4 || index($0, stem)' >files
	# shellcheck disable=SC2046
	"$sigtool" in "$cat" $(cat files) | cut -f2 >in.ours
	grep -Ff members sums | sed 's/^[0-9a-f]*  //' >in.infs
	while read -r file; do
		case $file in
		*.[iI][nN][fF]) grep -qxF "$file" in.infs ;;
		*) theirs -catalog "$cat" -in "$file" | grep -q '^File is signed in catalog' ;;
		esac && echo yes || echo no
	done <files >in.theirs
	paste -d' ' in.ours in.theirs files | sed "s|\$| $(basename "$cat")|" >>pairs
done <cats
in=$(grep -c '^yes yes' pairs) equal=$(grep -cE '^(yes yes|no no)' pairs)
grep -vE '^(yes yes|no no)' pairs >unequal
echo "# files in catalogs: $equal pairs equal ($in of them members), $(grep -c . unequal) unequal"
[ ! -s unequal ]
tap $? "members of catalogs are those that osslsigncode and sha*sum find" unequal
ok "most of them are members ($in)" test "$in" -ge 100

# What the chains lead to: self-signed ones verify with their own certificate as root.
good=0
: >unequal
while IFS='	' read -r file verdict kind signer root _; do
	[ "$kind" = test ] || continue
	openssl pkcs7 -inform DER -in "$file" -print_certs 2>/dev/null | awk '/BEGIN/ {n++} n == 1' >own.pem
	if osslsigncode verify -CAfile own.pem -TSA-CAfile own.pem -ignore-timestamp -in "$file" 2>/dev/null |
		grep -q '^Signature verification: ok'; then
		good=$((good + 1))
	else
		echo "$file: $verdict $signer $root" >>unequal
	fi
done <cats.gild
echo "# self-signed catalogs: $good verify by osslsigncode, $(grep -c . unequal) do not"
[ ! -s unequal ]
tap $? "self-signed catalogs verify with their own certificate" unequal
is "kinds of signers" "$(cut -f2,3 cats.gild | sort | uniq -c | awk '{print $2, $3, $1}')" \
	"unsigned - 1
untrusted test 26
untrusted vendor 1
valid attestation 2
valid vendor 23
valid whql 28"

# ---- real packages --------------------------------------------------------------------------
vioscsi=$(echo "$data"/packages/RedHat__vioscsi*)
try x64.wim "$vioscsi" --unsigned=refuse
is "Microsoft's signature, expired and stamped" "$(what)" "added valid whql 0"
is "with nothing to remark" "$(said)" ""
try x64.wim "$data/packages/zerotier-tap/x64" --unsigned=refuse
is "an attested driver" "$(what)" "added valid attestation 0"
try x64.wim "$data/virtio-built/Win8.1/amd64/vioscsi.inf"
is "a self-signed boot driver" "$(what)" "added untrusted test 0"
says "is for test mode" "in test mode only"
cp -r "$vioscsi" v && chmod -R u+w v
printf '; changed\r\n' >>v/vioscsi.inf
try x64.wim v --unsigned=refuse
is "an INF changed behind Microsoft's back" "$(what)" "refused mismatch whql 3"
if command -v hivexregedit >/dev/null; then
	is "Microsoft's score and name" "$(score "$vioscsi" | sort | cut -c1-50)" \
		'"SignerName"=hex(1):4d,00,69,00,63,00,72,00,6f,00,
"SignerScore"=dword:0d000005'
fi
done_testing
