/* Hostile bytes as a configuration file of AWS's tools, and as an error document of a server. */
#include <stdlib.h>
#include <string.h>
#include "priv/cloud_ini.h"
#include "priv/cloud_s3_fault.h"
#include "priv/cloud_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_configuration(const char *text, size_t size)
{
    cloud_ini *ini = NULL;
    if (cloud_ini_parse(text, size, &ini, NULL) != CISTERN_OK)
        return;
    int section = cloud_ini_named_section(ini, "profile", "default");
    const char *s3 = cloud_ini_value(ini, section, "s3");
    char style[16];
    bool found;
    if (s3 != NULL &&
        cloud_ini_nested(s3, "addressing_style", style, sizeof style, &found, NULL) == CISTERN_OK && found &&
        strlen(style) >= sizeof style)
        abort();
    cloud_ini_free(ini);
}

static void as_fault(const char *text, size_t size)
{
    static char bucket[] = "b", key[] = "k", secret[] = "Zecr3t", none[] = "";
    const cloud_s3_address address = {bucket, key, NULL};
    const cloud_s3_config config = {
        .access_key_id = secret, .secret_access_key = secret, .session_token = none};
    const cloud_s3_asked asked = {"s3://b/k", &address, &config, "us-east-1", "https://s3.amazonaws.com"};
    const char *watched[NET_WATCH_MAX] = {"", "", "", "", "", ""};
    for (int code = 400; code <= 403; code += 3) {
        const net_failure failure = {
            .code = code, .shown = "", .watched = watched, .body = text, .body_size = size};
        cistern_error err = CISTERN_ERROR_INIT;
        bool transient;
        if (cloud_s3_fault(&asked, &failure, &transient, &err) != CISTERN_OK &&
            strstr(err.text, secret) != NULL)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_configuration((const char *)data, size);
    as_fault((const char *)data, size);
    return 0;
}
