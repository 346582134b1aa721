/* Published weights: what is known of files that many people have. A built-in table; no request is made. */
#ifndef CISTERN_PUBLISHED_H
#define CISTERN_PUBLISHED_H

#include <cistern/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One published file. Texts are static, "" where nothing is known. */
typedef struct cistern_published {
    size_t size;
    const char *publisher;    /* "torchvision", "keras", "hf" */
    const char *model;        /* as its publisher calls it: "vgg16_bn", "timm/vgg16.tv_in1k" */
    const char *weights;      /* "IMAGENET1K_V1" */
    const char *architecture; /* "vgg16_bn" */
    const char *url;
    const char *licence;
    int has_head;            /* 0: only its features are of use */
    uint32_t accuracy_top_1; /* on ImageNet-1k's validation set, thousandths of a percent; 0: not known */
    uint32_t accuracy_top_5;
} cistern_published;

/** The i-th row of the table. 0: there are no more. */
CISTERN_API int cistern_published_peek(size_t i, cistern_published *out);
/** What a version's bytes were recognised as, by their digest (or, when they came, by a published MD5). 0: they are not in the table. */
CISTERN_API int cistern_version_published(const cistern_version *v, cistern_published *out);

#ifdef __cplusplus
}
#endif
#endif
