/* A version: what the store knows of one release of a model, without opening its weights. Immutable. */
#ifndef CISTERN_VERSION_H
#define CISTERN_VERSION_H

#include <cistern/context.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cistern_version cistern_version;
CISTERN_API void cistern_version_free(cistern_version *v);

/* Texts are borrowed until the version is freed; "" where there is nothing to say, never NULL. Threads: any. */
CISTERN_API const char *cistern_version_name(const cistern_version *v);      /* "vgg16" */
CISTERN_API const char *cistern_version_tag(const cistern_version *v);       /* "3" */
CISTERN_API const char *cistern_version_digest(const cistern_version *v);    /* 64 hexadecimal digits */
CISTERN_API const char *cistern_version_reference(const cistern_version *v); /* "vgg16:3@sha256:…" */
CISTERN_API const char *cistern_version_origin(const cistern_version *v);    /* normalised address */
CISTERN_API const char *cistern_version_when(const cistern_version *v);      /* RFC 3339, UTC */
CISTERN_API const char *cistern_version_who(const cistern_version *v);
CISTERN_API uint64_t cistern_version_bytes(const cistern_version *v);     /* of all files */
CISTERN_API size_t cistern_version_alias_count(const cistern_version *v); /* aliases that point here */
CISTERN_API const char *cistern_version_alias(const cistern_version *v, size_t i);
CISTERN_API int
cistern_version_is_here(const cistern_version *v); /* whether all its bytes are in the local store */

typedef struct cistern_file {
    size_t size;
    const char *path;   /* relative name within the version */
    const char *sha256; /* 64 hexadecimal digits */
    uint64_t bytes;
} cistern_file;
CISTERN_API size_t cistern_version_file_count(const cistern_version *v);
CISTERN_API int cistern_version_file(const cistern_version *v, size_t i,
                                     cistern_file *out); /* 0: no such file */

/* Facts: each with where it came from ("flag", "config.json", "published table", "file" (its own graph or
 * configuration), "family", "none"). */
typedef struct cistern_facts {
    size_t size;
    const char *architecture, *architecture_source; /* "vgg16"; "unknown" when it is no VGG */
    const char *preset, *preprocess_source;         /* "torchvision", "keras", "config" */
    uint32_t input_height, input_width;             /* pixels */
    uint32_t resize_short;                          /* pixels; 0: none */
    const char *interpolation;                      /* "bilinear" */
    float mean[3], std[3];
    uint32_t classes;                      /* 0: not known */
    const char *label_set, *labels_source; /* "imagenet-1k", "config", "file" */
    const char *kind;                      /* "PyTorch zip", "PyTorch legacy stream", "safetensors" */
    const char *resize;                    /* "short": the short side to resize_short; "squash": to a size */
    uint32_t resize_height, resize_width;  /* pixels, of "squash"; 0: those of the input */
    const char *sampling;                  /* "pillow" (antialiased), "legacy" (TensorFlow 1) */
    const char *colour;                    /* "rgb", "bgr": the order of the channels, and of mean and std */
    const char *scale;                     /* what a byte's 255 becomes before mean and std: "1", "255" */
    const char *head;                      /* "none": features only; "logits", "probabilities", "unknown" */
    double bn_epsilon; /* that batch norm adds to the variance; 0: no batch norm, or not recorded */
    const char *bn_epsilon_source;
    const char *data_format; /* "channels_last", "channels_first" where it was declared, else "" */
} cistern_facts;
CISTERN_API void cistern_version_facts(const cistern_version *v, cistern_facts *out);
/** What was noticed when its files were read ("its graph is not followed: … say --preprocess"), or NULL behind the last.
 *  None where its tensor index is not at hand, as in lists. */
CISTERN_API const char *cistern_version_note(const cistern_version *v, size_t i);
/** Name of a class, or NULL where there are no labels. */
CISTERN_API const char *cistern_version_label(const cistern_version *v, uint32_t class_index);

/** Find what a reference means. Makes no request. @retval CISTERN_NOT_FOUND the message lists what there is. */
CISTERN_API cistern_status cistern_resolve(cistern *c, const char *reference, cistern_version **out,
                                           cistern_error *err) CISTERN_MUST_CHECK;

/** Versions, newest last, of one model (name) or of all (NULL). An absent store has none. */
typedef struct cistern_list cistern_list;
CISTERN_API cistern_status cistern_list_versions(cistern *c, const char *name, cistern_list **out,
                                                 cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API size_t cistern_list_count(const cistern_list *list);
CISTERN_API const cistern_version *cistern_list_peek(const cistern_list *list, size_t i); /* borrowed */
CISTERN_API void cistern_list_free(cistern_list *list);

/** What happened to a model: versions added and removed, moves of aliases; oldest first. */
typedef struct cistern_event {
    size_t size;
    const char *kind;   /* "add", "move", "rollback", "remove" */
    const char *tag;    /* the version, or the version that the alias moved to */
    const char *alias;  /* "" unless a move */
    uint64_t number;    /* of the alias's move; 0 unless a move */
    const char *from;   /* the version that the alias pointed to before, or "" */
    const char *digest; /* of the version, or "" where it is gone */
    const char *who, *when, *why;
} cistern_event;
typedef struct cistern_history cistern_history;
CISTERN_API cistern_status cistern_history_read(cistern *c, const char *name, cistern_history **out,
                                                cistern_error *err) CISTERN_MUST_CHECK;
CISTERN_API size_t cistern_history_count(const cistern_history *h);
CISTERN_API int cistern_history_event(const cistern_history *h, size_t i, cistern_event *out); /* 0: none */
CISTERN_API void cistern_history_free(cistern_history *h);

#ifdef __cplusplus
}
#endif
#endif
