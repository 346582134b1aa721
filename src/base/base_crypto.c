/* See base_crypto.h. */
#include "base_crypto.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcrypto.so.3" /* the ABI of OpenSSL 3 */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static base_crypto loaded;
static bool is_loaded;

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
#define SYMBOL(name) {#name, offsetof(base_crypto, name)},
    BASE_CRYPTO_FUNCTIONS(SYMBOL)
#undef SYMBOL
};

static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    bool all = library != NULL;
    for (size_t i = 0; all && i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(library, symbols[i].name);
        memcpy((char *)&loaded + symbols[i].offset, &address, sizeof address);
        all = address != NULL;
    }
    is_loaded = all;
}

const base_crypto *base_crypto_get(void)
{
    pthread_once(&once, load);
    return is_loaded ? &loaded : NULL;
}
