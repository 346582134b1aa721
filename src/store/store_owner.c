/* Owners as text; see priv/store_owner.h. */
#include "priv/store_owner.h"

#include <stdio.h>
#include <string.h>
#include "base_json.h"
#include "base_thread.h"

cistern_status store_owner_encode(base_buf *out, cistern_error *err)
{
    base_process self;
    char who[128], since[24];
    base_process_self(&self);
    base_who(who, sizeof who);
    base_time_text(since);
    json_t *owner = json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "machine_id", self.machine_id, "boot_id",
                              self.boot_id, "pid_ns", (json_int_t)self.pid_ns, "pid", (json_int_t)self.pid,
                              "start_time", (json_int_t)self.start_time, "who", who, "since", since);
    if (!owner)
        return base_fail_memory(err, STORE_OWNER_MAX);
    cistern_status status = base_json_write(owner, out, err);
    json_decref(owner);
    return status;
}

static void copy_text(char *out, size_t size, const json_t *object, const char *key)
{
    const char *text = base_json_peek_string(object, key);
    snprintf(out, size, "%s", text ? text : "");
}

static bool copy_number(const json_t *object, const char *key, uint64_t *out)
{
    return base_json_u64(object, key, "owner", out, NULL) == CISTERN_OK;
}

void store_owner_decode(const char *text, base_process *out)
{
    json_t *owner = NULL;
    base_process found;
    memset(&found, 0, sizeof found);
    *out = found;
    if (base_json_parse(text, strlen(text), BASE_JSON_STRICT, "owner", &owner, NULL) != CISTERN_OK)
        return;
    copy_text(found.machine_id, sizeof found.machine_id, owner, "machine_id");
    copy_text(found.boot_id, sizeof found.boot_id, owner, "boot_id");
    if (copy_number(owner, "pid_ns", &found.pid_ns) && copy_number(owner, "pid", &found.pid) &&
        copy_number(owner, "start_time", &found.start_time))
        *out = found;
    json_decref(owner);
}
