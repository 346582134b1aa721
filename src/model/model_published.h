/* The table of published VGG weights: where they are, what identifies them, what is known of them. Pure data.
 *
 * Invariants
 *  1. A file is recognised by its digest only, never by its name: by the whole SHA-256 where it is known, else by the
 *     digits that its publisher put into the file's name together with its size.
 *  2. What the table says ranks below flags and a config.json (MODEL_FACT_PUBLISHED).
 * Sources: torchvision/models/vgg.py (addresses, digits, parameters, accuracy, preprocessing); keras/src/applications
 * (addresses, MD5); the file pages of the Hugging Face hub (SHA-256 of timm's conversions); the licences that the
 * publishers give. Whole digests of torchvision's files: as computed by several who fetched them.
 */
#ifndef MODEL_PUBLISHED_H
#define MODEL_PUBLISHED_H

#include "model_facts.h"

#define MODEL_PUBLISHED_PREFIX_HEX 8 /* digits in torchvision's file names */

typedef struct model_published {
    const char *publisher;    /* "torchvision", "keras", "hf" */
    const char *model;        /* as the publisher calls it: "vgg16_bn", "timm/vgg16.tv_in1k" */
    const char *weights;      /* which weights of it: "IMAGENET1K_V1", "notop" */
    bool is_default;          /* those that are meant without naming any */
    const char *name;         /* of the model here, without --as; NULL: made from the address */
    const char *architecture; /* "vgg16_bn" */
    const char *url;          /* normalised */
    const char *sha256;       /* 64 digits, or NULL: only `prefix` is known */
    const char *prefix;       /* the first 8 of them, or NULL: neither is known */
    const char *md5;          /* 32 digits, or NULL */
    uint64_t size;            /* bytes; 0: not known */
    uint64_t params;          /* numbers in the file, f32 */
    bool head;                /* false: only features are of use, whatever the file holds */
    const char *preset;       /* of preprocessing */
    uint32_t top1,
        top5; /* accuracy on ImageNet-1k's validation set, thousandths of a percent; 0: not published */
    const char *licence; /* of the weights */
} model_published;

size_t model_published_count(void);
const model_published *model_published_peek(size_t i);

/** The row of "vgg16", "vgg16.DEFAULT" or "vgg16.IMAGENET1K_V1" of a publisher; NULL: there is none. */
const model_published *model_published_find(const char *publisher, const char *text);
/** All that a publisher has, for messages: "vgg11, vgg11_bn, …"; cut to size. */
void model_published_list(const char *publisher, char *out, size_t size);
/** The row with this normalised address; NULL: none. */
const model_published *model_published_by_url(const char *url);
/** The row that a file is recognised as. @param sha256  64 digits. @param size bytes. */
const model_published *model_published_by_digest(const char *sha256, uint64_t size);
/** A publisher's row whose address ends in this file name; NULL: none. For what other tools' caches hold. */
const model_published *model_published_by_file(const char *publisher, const char *file_name);
/** The last segment of its address; borrowed. */
const char *model_published_file(const model_published *row);
/** What the table knows, as facts. @param out  initialised by the call; cleared by the caller. */
cistern_status model_published_facts(const model_published *row, model_facts *out,
                                     cistern_error *err) CISTERN_MUST_CHECK;

#endif
