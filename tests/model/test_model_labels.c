/* The built-in class names: complete, distinct, in the published order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "base_sha256.h"
#include "model_facts.h"

#define CLASSES 1000u

/* SHA-256 of torchvision 0.14.1's names in order, each followed by a newline. */
#define NAMES_SHA256 "ee4fa67b1dd46919ef87529b70e25bdd1ec9ebd350de3ad426e6640eb70320a1"

static void names_are_in_torchvisions_order(void **state)
{
    (void)state;
    base_sha256 *hash = NULL;
    base_digest digest;
    char hex[BASE_SHA256_HEX];
    assert_int_equal(base_sha256_new(&hash, NULL), CISTERN_OK);
    for (unsigned i = 0; i < CLASSES; i++) {
        base_sha256_update(hash, model_labels_imagenet1k[i], strlen(model_labels_imagenet1k[i]));
        base_sha256_update(hash, "\n", 1);
    }
    base_sha256_final(hash, &digest);
    base_sha256_free(hash);
    base_digest_hex(&digest, hex);
    assert_string_equal(hex, NAMES_SHA256);
    assert_string_equal(model_labels_imagenet1k[0], "tench");
    assert_string_equal(model_labels_imagenet1k[281], "tabby");
    assert_string_equal(model_labels_imagenet1k[999], "toilet tissue");
}

static void no_name_is_used_twice(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLASSES; i++) {
        for (unsigned j = i + 1; j < CLASSES; j++) {
            assert_string_not_equal(model_labels_imagenet1k[i], model_labels_imagenet1k[j]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_in_torchvisions_order),
        cmocka_unit_test(no_name_is_used_twice),
    };
    return cmocka_run_group_tests_name("model_labels", tests, NULL, NULL);
}
