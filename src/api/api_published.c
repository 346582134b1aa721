/* The table of published weights, for the public. */
#include "priv/api_types.h"

#include "model_published.h"

static int tell(const model_published *row, cistern_published *out)
{
    if (!row || !api_sized_usable(out))
        return 0;
    cistern_published told = {.size = sizeof told,
                              .publisher = row->publisher,
                              .model = row->model,
                              .weights = row->weights,
                              .architecture = row->architecture,
                              .url = row->url,
                              .licence = row->licence,
                              .has_head = row->head,
                              .accuracy_top_1 = row->top1,
                              .accuracy_top_5 = row->top5};
    api_sized_give(&told, sizeof told, out);
    return 1;
}

int cistern_published_peek(size_t i, cistern_published *out)
{
    return tell(model_published_peek(i), out);
}

int cistern_version_published(const cistern_version *v, cistern_published *out)
{
    const model_published *row = NULL;
    if (v->v.file_count != 1)
        return 0;
    row = model_published_by_digest(v->v.files[0].sha256, v->v.files[0].size);
    if (!row && v->v.origin && v->facts.architecture_source == MODEL_FACT_PUBLISHED)
        row = model_published_by_url(v->v.origin); /* its MD5 was compared when it came */
    return tell(row, out);
}
