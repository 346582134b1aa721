/* See base_crypto.h. */
#include "base_crypto.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcrypto.so.3" /* the ABI of OpenSSL 3 */

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
#define SYMBOL(name) {#name, offsetof(base_crypto, name)},
    BASE_CRYPTO_FUNCTIONS(SYMBOL)
#undef SYMBOL
};

bool base_crypto_load(base_crypto *out)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    bool all = library != NULL;
    for (size_t i = 0; all && i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(library, symbols[i].name);
        memcpy((char *)out + symbols[i].offset, &address, sizeof address);
        all = address != NULL;
    }
    if (library != NULL)
        dlclose(library); /* it stays nevertheless; only the count of its users goes back */
    return all;
}
