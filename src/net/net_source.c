/* What all kinds of sources share; see net_source.h. */
#include "net_source.h"
#include <stdlib.h>
#include <string.h>

void net_source_free(net_source *src)
{
    if (src == NULL)
        return;
    free(src->shown);
    free(src->published);
    src->ops->free(src);
}

const char *net_source_shown(const net_source *src)
{
    return src->shown;
}

const char *net_source_published(const net_source *src)
{
    return src->published;
}

/* A failure of a mirror names the published address, too. */
static cistern_status frame(const net_source *src, cistern_status status, cistern_error *err)
{
    return status == CISTERN_OK || status == CISTERN_CANCELLED || src->published == NULL
               ? status
               : base_frame(err, status, "%s, through its mirror", src->published);
}

cistern_status net_source_stat(net_source *src, const base_run *run, net_answer *out, cistern_error *err)
{
    memset(out, 0, sizeof *out);
    return frame(src, src->ops->stat(src, run, out, err), err);
}

cistern_status net_source_read(net_source *src, const net_range *range, const char *validator, net_sink sink,
                               void *user, const base_run *run, net_answer *out, cistern_error *err)
{
    memset(out, 0, sizeof *out);
    if (range != NULL && range->last < range->first)
        return base_fail(err, CISTERN_UNEXPECTED, "%s: an empty range was asked for", src->shown);
    return frame(src, src->ops->read(src, range, validator, sink, user, run, out, err), err);
}

cistern_status net_source_revalidate(net_source *src, const char *etag, const char *last_modified,
                                     const base_run *run, net_answer *out, cistern_error *err)
{
    memset(out, 0, sizeof *out);
    bool has_etag = etag != NULL && etag[0] != '\0';
    bool has_date = !has_etag && last_modified != NULL && last_modified[0] != '\0';
    return frame(
        src,
        src->ops->revalidate(src, has_etag ? etag : NULL, has_date ? last_modified : NULL, run, out, err),
        err);
}

const char *net_stat_validator(const net_stat *stat)
{
    bool weak = stat->etag[0] == 'W' && stat->etag[1] == '/';
    return stat->etag[0] == '\0' || weak ? NULL : stat->etag;
}
