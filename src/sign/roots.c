/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The roots that Windows trusts for drivers without anything being installed: names and
 * public keys (RSA, exponent 65537). Only with the key itself can the last certificate of
 * a chain be verified; a name or a key identifier in it anybody can write.
 *
 * The keys are those of Microsoft's published root program and of what Microsoft signed
 * with them. Microsoft Code Verification Root is in no list (its certificate is in the
 * kernel's code integrity module alone): its modulus is the common divisor of
 * s^65537 - m over two cross-certificates that it issued, and verifies the others.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "sign/sign_private.h"

#define RSA_EXPONENT 65537

/* clang-format off: rows of equal length */
static const char root_authority[] =
	"a902bdc170e63bf24e1b289f97785e30eaa2a98d255ff8fe954ca3b7fe9da2203e7c51a29ba2"
	"8f60326bd1426479eeac76c954daf2eb9c861c8f9f8466b3c56b7a6223d61d3cde0f0192e896"
	"c4bf2d669a9a682699d03a2cbf0cb55826c146e70a3e38962ca92839a8ec498342e3840fbb9a"
	"6c5561ac827ca1602d774ce999b4643b9a501c310824149fa9e7912b18e63d98631460580565"
	"9f1d375287f7a7ef9402c61bd3bf5545b38980bf3aec54944eaefda77a6d744eaf18cc960928"
	"21005790606937bb4b12073c56ff5bfba4660a08a6d2815657efb63b5e16817704daf6beae80"
	"95feb0cd7fd6a71a725c3ccabcf008a32230b30685c9b320771385df";

static const char root_2001[] =
	"f35dfa8067d45aa7a90c2c9020d035083c7584cdb707899c89dadecec360fa91685a9e947129"
	"18767cc2e0c82576940e58fa043436e6dfaff780bae9580b2b93e59d05e3772291f734643c22"
	"911d5ee10990bc14fefc755819e179b70792a3ae885908d89f07ca0358fc68296d32d7d2a8cb"
	"4bfce10b48324fe6ebb8ad4fe45c6f139499db95d575dba81ab79491b4775bf5480c8f6a797d"
	"1470047d6daf90f5da70d847b7bf9b2f6ce705b7e11160ac7991147cc5d6a6e4e17ed5c37ee5"
	"92d23c00b53682de79e16df3b56ef89f33c9cb527d739836db8ba16ba295979ba3dec24d26ff"
	"0696672506c8e7ace4ee1233953199c835084e34ca7953d5b5be6332594036c0a54e044d3ddb"
	"5b0733e458bfef3f5364d842593557fd0f457c24044d9ed6387411972290ce684474926fd54b"
	"6fb086e3c73642a0d0fcc1c05af9a361b9304771960a16b091c04295ef107f286ae32a1fb1e4"
	"cd033f777104c720fc490f1d4588a4d7cb7e88ad8e2dec45dbc45104c92afcec869e9a11975b"
	"dece5388e6e2b7fdac95c22840dbef0490df813339d9b245a5238706a5558931bb062d600e41"
	"187d1f2eb597cb11eb15d524a594ef151489fd4b73fa325bfcd13300f95962700732ea2eab40"
	"2d7bcadd21671b30998f16aa23a841d1b06e119b36c4de40749ce15865c1601e7a5b38c88fbb"
	"04267cd41640e5b66b6caa86fd00bfcec135";

static const char root_2010[] =
	"b9089e28e4e4ec064e5068b341c57bebaeb68eaf81ba22441f6534694cbe704017f2167be279"
	"fd86ed0d39f41ba8ad92901ecb3d768f5ad9b591102e3c058d8a6d2454e71fed56ad83b4509c"
	"15a51774885920fc08c58476d368d46f2878ce5cb8f3509044ffe3635fbea19a2c961504d607"
	"fe1e8421e0423111c4283694cf50a4629ec9d6ab7100b25b0ce696d40a2496f5ffc6d5b71bd7"
	"cbb72162af12dca15d37e31afb1a4698c09bc0e7631f2a0893027e1e6a8ef29f1889e42285a2"
	"b1845740fff50ed86f9cede2453101cd17e97fb08145e3aa214026a172aaa74f3c01057eee83"
	"58b15e06639962917882b70d930c246ab41bdb27ec5f95043f934a30f59718b3a7f919a79333"
	"1d01c8db22525cd725c946f9a2fb875943be9b62b18d2d86441a46ac78617e3009faae89c441"
	"2a2266039139459cc78b0ca8ca0d2ffb52ea0cf76333239dfeb01fad67d6a75003c6047063b5"
	"2cb1865a43b7fbaef96e296e21214126068cc9c3eeb0c28593a1b985d9e6326c4b4c3fd65da3"
	"e5b59d77c39cc055b77400e3b838ab839750e19a42241dc6c0a330d11a5ac85234f773f1c718"
	"1f33ad7aeccb4160f3239420c24845ac5c51c62e80c2e27715bd8587ed369d9691ee00b5a370"
	"ec9fe38d80688376baaf5d70522216e266fbbab3c5c2f73e2f77a6cadec1a6c6484cc3375123"
	"d327d7b84e7096f0a14476af78cf9ae16613";

static const char root_2011[] =
	"b28041aa35384d13723268224db8b2f1ffd552bc6cc7f5d24a8c36eed1c25c7e8c8aaeaf1328"
	"6fc073e33aced025a85a3a6defa8b859ab132368cd0c2987d16f805c8f447f5d90015258ac51"
	"c55f2a87dcdcd80a1dc103b97bb056e8a3de6461c29ef8f37cb9ec0db554fe4cb6654f88f09c"
	"48990c420b097c315917790678288d893a4c0325be716a5c0be78460a49922e3d2af84a4a7fb"
	"d198ed0ca9de9489e10ea0dcc0ce993dea0852bb5679e41f84ba1eb8b4c4495c4f314b87dddd"
	"0567269980e07111a3b8a541e2a453b9f73229830c13bf365e04b34b43472f6be2911ed3984f"
	"dd4207c8e81d12fc99a96b3e927ec8d6693afc64bdb6099dcafd0c0ba29b77604b0394a43069"
	"12d6422dc1414ccadcaafd8f5b83469ad9fcb1d1e3b3c97f487acd24f0418f5c74d0acb01020"
	"0649b7c72d21c857e3d086f30368fbd0ce71c189994a64016cfdec3091cf413c92c7e5ba861d"
	"6184c75f833962aeb4922f47f30bf855eba01f59d0bb749b1ed076e6f2e906d710e8fa64de69"
	"c635968802f046b83f27996fcb71892935f7481602358fd5797c4d02cf5feb8a834f457188f9"
	"a90d4e72e9c29c07cf491b4e040e63518c5ed800c1552cb6c6e0c2654ec93439f59cb3c47ee8"
	"616e135f15c45fd97eed1dceee44eccb2e86b1ec38f670edab5c13c1d90f0dc780b255ed34f7"
	"ac9be4c3dae7473ca6b58f31dfc54bafebf1";

static const char code_verification[] =
	"bd77c91c7f157838c50743215afbe4cc3bc65531fc2189b1bce7019cfb90be20115576a74d02"
	"e7b2f42e8defb2874656ca47cec8c363e308034b9606b9702244e64b7b443f75b7b8a62b9108"
	"41ef4b0759d6a4199df6cba4bb8e02654dcade0fb49022f1b56b5c22f6caf938aa280b062d3c"
	"198db7355f83eddd65738446929f44e2894a8cd598a76d3de819cb44ad180bea5c5f7c0bc39a"
	"936844f3b6bf979930723f2859d070c8055778f54a82340a24c17ab064a53a6e12d5036138bb"
	"0e2dfd859cd648756a1cb2a2e891fab7e4f53c5ffdc940acc7a042f574d8b9dbd7fe73771ae0"
	"c4b709b1059a6de35e8038757852b612d379ae43f765a7d1166469858f783ab894bf4512625a"
	"4d8748d6f819bc590106f51adb60299f013f6e73f9fd8045ce95d78af6920cc173402c6daa32"
	"a6f17f30f890f1ae4527b9b40e3002bdc60eec3c8c5bb63485cf140b0c500da9e259912ea801"
	"39f42c15630480b840df62f7feb74c13a82ca966133862fc4070627b7577d52b8e1ba599e5b9"
	"b7c7adea01a0257b5846525654a2c9922b581d4851c01ffe3700d1e2ab10c2a959e942996e8f"
	"b51e4766741e98765757045ebd2f8593d50e0b9f2e7b2664a78612095063e7d1c78e7e0e3b07"
	"e7bbe4cd1a40d47aba05594ad6d0eedc965e224a271c45e3dedab2e9d343fde96fc0c97d1ffd"
	"9f909c862008cc74dc40a729b3ab58656bb1";

/* clang-format on */

static const struct {
	const char *name, *modulus;
	bool cross; /* trusted by the kernel for makers' certificates that it cross-signed
		     */
} roots[] = {
	{"Microsoft Root Authority", root_authority, false},
	{"Microsoft Root Certificate Authority", root_2001, false},
	{"Microsoft Root Certificate Authority 2010", root_2010, false},
	{"Microsoft Root Certificate Authority 2011", root_2011, false},
	{"Microsoft Code Verification Root", code_verification, true},
};

static EVP_PKEY *rsa_key(const char *modulus)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;
	BIGNUM *n = NULL;

	if (build && context && BN_hex2bn(&n, modulus) > 0 &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_uint(build, OSSL_PKEY_PARAM_RSA_E, RSA_EXPONENT))
		params = OSSL_PARAM_BLD_to_param(build);
	if (params && EVP_PKEY_fromdata_init(context) == 1)
		(void)EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(context);
	BN_free(n);
	return key;
}

bool root_find(X509 *certificate, struct root *ret)
{
	_cleanup_free_ char *issuer = name_common(X509_get_issuer_name(certificate));

	for (size_t i = 0; issuer && i < ARRAY_SIZE(roots); i++) {
		EVP_PKEY *key;
		bool signed_by;

		if (strcmp(issuer, roots[i].name) != 0)
			continue;
		key = rsa_key(roots[i].modulus);
		signed_by = key && X509_verify(certificate, key) == 1;
		EVP_PKEY_free(key);
		if (!signed_by)
			continue;
		*ret = (struct root){roots[i].name, roots[i].cross};
		return true;
	}
	return false;
}
