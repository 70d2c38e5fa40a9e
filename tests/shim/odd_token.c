/*
 * A PKCS#11 module that passes every call on to another one (ODD_MODULE) and misbehaves as the
 * words in ODD say, separated by commas:
 *
 *   description=TEXT    what C_GetSlotInfo says of every slot
 *   flags=HEX           set in C_GetTokenInfo of every initialised token
 *   raw-point           CKA_EC_POINT is the plain point
 *   no-derive           C_GenerateKeyPair refuses CKA_DERIVE
 *   implied-public      C_GenerateKeyPair leaves no public key object of the private key's id
 *   only-hashing        CKM_ECDSA_SHA256 instead of CKM_ECDSA
 *   no-function-list    C_GetFunctionList fails
 *   fail=NAME:HEX       the function of that name fails with that code, always
 *   fail-after=NAME:HEX the function of that name works, and fails with that code from then on
 *   gone-after=NAME     CKR_DEVICE_REMOVED from everything once NAME has been called
 */
#include <dlfcn.h>
#include <p11-kit/pkcs11.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_FUNCTION_LIST odd;
static CK_FUNCTION_LIST *real;
static int gone;

/* The text after WORD in ODD, or NULL. It ends at a comma. */
static const char *said(const char *word)
{
	const char *at = getenv("ODD");
	size_t length = strlen(word);

	while (at != NULL && *at != '\0') {
		if (strncmp(at, word, length) == 0)
			return at + length;
		at = strchr(at, ',');
		at = at == NULL ? NULL : at + 1;
	}
	return NULL;
}

/* The code in `WORD=NAME:HEX`, or CKR_OK. */
static CK_RV told(const char *word, const char *name)
{
	const char *found = said(word);
	size_t length = strlen(name);

	if (found != NULL && strncmp(found, name, length) == 0 && found[length] == ':')
		return strtoul(found + length + 1, NULL, 16);
	return CKR_OK;
}

static CK_RV before(const char *name)
{
	return gone ? CKR_DEVICE_REMOVED : told("fail=", name);
}

static CK_RV after(const char *name, CK_RV result)
{
	static char seen[64];
	const char *last = said("gone-after=");
	CK_RV later = told("fail-after=", name);

	if (last != NULL && strncmp(last, name, strlen(name)) == 0)
		gone = 1;
	if (later != CKR_OK) {
		if (strcmp(seen, name) == 0)
			return later;
		strncpy(seen, name, sizeof seen - 1);
	}
	return result;
}

#define PASS(name, parameters, arguments)              \
	static CK_RV odd_##name parameters             \
	{                                              \
		CK_RV result = before(#name);          \
		if (result != CKR_OK)                  \
			return result;                 \
		return after(#name, real->name arguments); \
	}

PASS(C_Initialize, (void *arguments), (arguments))
PASS(C_GetSlotList, (unsigned char present, CK_SLOT_ID *slots, unsigned long *count), (present, slots, count))
PASS(C_InitToken, (CK_SLOT_ID slot, unsigned char *pin, unsigned long length, unsigned char *label), (slot, pin, length, label))
PASS(C_InitPIN, (CK_SESSION_HANDLE session, unsigned char *pin, unsigned long length), (session, pin, length))
PASS(C_OpenSession, (CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *session), (slot, flags, application, notify, session))
PASS(C_Login, (CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin, unsigned long length), (session, user, pin, length))
PASS(C_CreateObject, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, unsigned long count, CK_OBJECT_HANDLE *object), (session, template, count, object))
PASS(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, object))
PASS(C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, unsigned long count), (session, template, count))

static CK_RV odd_C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	const char *text = said("description=");
	CK_RV result = before("C_GetSlotInfo");

	if (result == CKR_OK)
		result = real->C_GetSlotInfo(slot, info);
	if (result == CKR_OK && text != NULL) {
		size_t length = strcspn(text, ",");
		memset(info->slotDescription, ' ', sizeof info->slotDescription);
		memcpy(info->slotDescription, text,
		       length < sizeof info->slotDescription ? length : sizeof info->slotDescription);
	}
	return after("C_GetSlotInfo", result);
}

static CK_RV odd_C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	const char *flags = said("flags=");
	CK_RV result = before("C_GetTokenInfo");

	if (result == CKR_OK)
		result = real->C_GetTokenInfo(slot, info);
	if (result == CKR_OK && flags != NULL && (info->flags & CKF_TOKEN_INITIALIZED))
		info->flags |= strtoul(flags, NULL, 16);
	return after("C_GetTokenInfo", result);
}

static CK_RV odd_C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	CK_RV result = before("C_GetMechanismInfo");

	if (result == CKR_OK && said("only-hashing") && type == CKM_ECDSA)
		result = CKR_MECHANISM_INVALID;
	if (result == CKR_OK)
		result = real->C_GetMechanismInfo(slot, type, info);
	return after("C_GetMechanismInfo", result);
}

static CK_RV odd_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
				     CK_ATTRIBUTE *template, unsigned long count)
{
	CK_RV result = before("C_GetAttributeValue");
	unsigned long index;

	if (result != CKR_OK)
		return result;
	for (index = 0; said("raw-point") && index < count; index++) {
		/* The caller's buffer has room for the plain point only. */
		unsigned char wrapped[67];
		CK_ATTRIBUTE inner = { CKA_EC_POINT, wrapped, sizeof wrapped };

		if (template[index].type != CKA_EC_POINT)
			continue;
		result = real->C_GetAttributeValue(session, object, &inner, 1);
		if (result != CKR_OK)
			return result;
		if (template[index].pValue != NULL)
			memcpy(template[index].pValue, wrapped + 2, 65);
		template[index].ulValueLen = 65;
		return after("C_GetAttributeValue", CKR_OK);
	}
	return after("C_GetAttributeValue", real->C_GetAttributeValue(session, object, template, count));
}

static CK_RV odd_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism,
				   CK_ATTRIBUTE *public, unsigned long public_count,
				   CK_ATTRIBUTE *private, unsigned long private_count,
				   CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
	CK_RV result = before("C_GenerateKeyPair");
	CK_ATTRIBUTE kept[16];
	unsigned char no = CK_FALSE;
	unsigned long index, count = 0;

	if (result != CKR_OK)
		return result;
	for (index = 0; said("no-derive") && index < private_count; index++)
		if (private[index].type == CKA_DERIVE)
			return CKR_TEMPLATE_INCONSISTENT;
	for (index = 0; index < public_count && count < 16; index++) {
		CK_ATTRIBUTE attribute = public[index];

		if (said("implied-public") && attribute.type == CKA_ID)
			continue;
		if (said("implied-public") && attribute.type == CKA_TOKEN)
			attribute.pValue = &no;
		kept[count++] = attribute;
	}
	result = real->C_GenerateKeyPair(session, mechanism, kept, count, private, private_count,
					 public_key, private_key);
	return after("C_GenerateKeyPair", result);
}

static CK_RV odd_C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	CK_RV result = before("C_SignInit");
	CK_MECHANISM plain = { CKM_ECDSA, NULL, 0 };

	if (result != CKR_OK)
		return result;
	if (said("only-hashing")) {
		if (mechanism->mechanism != CKM_ECDSA_SHA256)
			return CKR_MECHANISM_INVALID;
		mechanism = &plain;
	}
	return after("C_SignInit", real->C_SignInit(session, mechanism, key));
}

/* SHA-256 by the real module, in a session of its own. */
static CK_RV hash(CK_SESSION_HANDLE session, unsigned char *data, unsigned long length,
		  unsigned char digest[32])
{
	CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };
	CK_SESSION_HANDLE other;
	CK_SESSION_INFO info;
	unsigned long room = 32;
	CK_RV result = real->C_GetSessionInfo(session, &info);

	if (result == CKR_OK)
		result = real->C_OpenSession(info.slotID, CKF_SERIAL_SESSION, NULL, NULL, &other);
	if (result != CKR_OK)
		return result;
	result = real->C_DigestInit(other, &sha256);
	if (result == CKR_OK)
		result = real->C_Digest(other, data, length, digest, &room);
	real->C_CloseSession(other);
	return result;
}

static CK_RV odd_C_Sign(CK_SESSION_HANDLE session, unsigned char *data, unsigned long length,
			unsigned char *signature, unsigned long *signature_length)
{
	unsigned char digest[32];
	CK_RV result = before("C_Sign");

	if (result == CKR_OK && said("only-hashing")) {
		result = hash(session, data, length, digest);
		data = digest;
		length = sizeof digest;
	}
	if (result == CKR_OK)
		result = real->C_Sign(session, data, length, signature, signature_length);
	return after("C_Sign", result);
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	CK_RV (*get)(CK_FUNCTION_LIST **);
	const char *path = getenv("ODD_MODULE");
	void *library = path == NULL ? NULL : dlopen(path, RTLD_NOW);

	if (said("no-function-list") || library == NULL)
		return CKR_GENERAL_ERROR;
	*(void **)&get = dlsym(library, "C_GetFunctionList");
	if (get == NULL || get(&real) != CKR_OK)
		return CKR_GENERAL_ERROR;
	odd = *real;
#define ODD(name) odd.name = odd_##name
	ODD(C_Initialize);
	ODD(C_GetSlotList);
	ODD(C_GetSlotInfo);
	ODD(C_GetTokenInfo);
	ODD(C_GetMechanismInfo);
	ODD(C_InitToken);
	ODD(C_InitPIN);
	ODD(C_OpenSession);
	ODD(C_Login);
	ODD(C_CreateObject);
	ODD(C_DestroyObject);
	ODD(C_FindObjectsInit);
	ODD(C_GetAttributeValue);
	ODD(C_GenerateKeyPair);
	ODD(C_SignInit);
	ODD(C_Sign);
	*list = &odd;
	return CKR_OK;
}
