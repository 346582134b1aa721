/* Options of clouds, copied; see cloud_context.h. */
#include "cloud_context.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base_mem.h"
#include "base_wipe.h"
#include "cloud_s3_address.h"

#define TEXTS        9 /* of cloud_s3_options */
#define LEARNED_MAX  8 /* buckets whose region is remembered */
#define REGION_BYTES 33

typedef struct learned {
    char bucket[CLOUD_S3_BUCKET_MAX + 1];
    char region[REGION_BYTES];
} learned;

struct cloud_context {
    cloud_s3_options s3;  /* its texts are owned */
    char *texts[TEXTS];   /* what to free */
    pthread_mutex_t lock; /* of what follows */
    learned known[LEARNED_MAX];
    unsigned next; /* the one that is overwritten next */
};

static cistern_status copy_texts(cloud_context *context, cistern_error *err)
{
    cloud_s3_options *s3 = &context->s3;
    const char **texts[TEXTS] = {
        &s3->access_key_id, &s3->secret_access_key, &s3->session_token, &s3->profile,         &s3->region,
        &s3->endpoint,      &s3->addressing,        &s3->config_file,   &s3->credentials_file};
    cistern_status status = CISTERN_OK;
    for (size_t i = 0; status == CISTERN_OK && i < TEXTS; i++) {
        status = base_strdup(*texts[i] != NULL ? *texts[i] : "", &context->texts[i], err);
        *texts[i] = context->texts[i];
    }
    return status;
}

cistern_status cloud_context_new(const cloud_options *options, cloud_context **out, cistern_error *err)
{
    cloud_options given = CLOUD_OPTIONS_INIT;
    cloud_context *context = NULL;
    cistern_status status = base_calloc(1, sizeof *context, &context, err);
    if (status != CISTERN_OK)
        return status;
    if (options != NULL)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    context->s3 = given.s3;
    pthread_mutex_init(&context->lock, NULL);
    status = copy_texts(context, err);
    if (status != CISTERN_OK) {
        cloud_context_free(context);
        return status;
    }
    *out = context;
    return CISTERN_OK;
}

void cloud_context_free(cloud_context *context)
{
    if (context == NULL)
        return;
    for (size_t i = 0; i < TEXTS; i++) {
        if (context->texts[i] != NULL)
            base_wipe(context->texts[i], strlen(context->texts[i]));
        free(context->texts[i]);
    }
    pthread_mutex_destroy(&context->lock);
    free(context);
}

const cloud_s3_options *cloud_context_s3(const cloud_context *context)
{
    return &context->s3;
}

void cloud_context_region(cloud_context *context, const char *bucket, char out[REGION_BYTES])
{
    out[0] = '\0';
    pthread_mutex_lock(&context->lock);
    for (size_t i = 0; i < LEARNED_MAX; i++)
        if (strcmp(context->known[i].bucket, bucket) == 0)
            memcpy(out, context->known[i].region, REGION_BYTES);
    pthread_mutex_unlock(&context->lock);
}

void cloud_context_learn(cloud_context *context, const char *bucket, const char *region)
{
    pthread_mutex_lock(&context->lock);
    unsigned at = context->next;
    for (unsigned i = 0; i < LEARNED_MAX; i++)
        if (strcmp(context->known[i].bucket, bucket) == 0)
            at = i;
    if (at == context->next)
        context->next = (context->next + 1) % LEARNED_MAX;
    snprintf(context->known[at].bucket, sizeof context->known[at].bucket, "%s", bucket);
    snprintf(context->known[at].region, sizeof context->known[at].region, "%s", region);
    pthread_mutex_unlock(&context->lock);
}
