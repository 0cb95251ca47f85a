// embed.c: a program that knows the installed hail.h and library and nothing else of the project:
// it is built as C11 and as C++17. It prints the library's version.
// SPDX-License-Identifier: MIT
#include <hail.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    struct hail_config config = HAIL_CONFIG_INIT;
    struct hail_mlapi_config mlapi = HAIL_MLAPI_INIT;
    struct hail_endpoint *server;

    if (!config.mlapi.enable_encryption || !mlapi.force_same_prefabs ||
        config.size != sizeof config) {
        fprintf(stderr, "the config does not begin with its defaults\n");
        return 1;
    }
#ifdef __cplusplus
    hail_conn one = {1};
    hail_group none = {0};
    if (one != hail_conn{1} || !(one == hail_conn{1}) || one == hail_conn{2} ||
        none != hail_group{0} || none == hail_group{3}) {
        fprintf(stderr, "names do not compare as values\n");
        return 1;
    }
#endif
    config.profile = HAIL_PROFILE_HAIL;
    config.address = "127.0.0.1";
    config.native.exchange = HAIL_UNSIGNED;
    config.default_floor = HAIL_ENCRYPTED | HAIL_AUTHENTICATED;
    config.shard_count = 1;
    enum hail_status status = hail_server_start(&server, &config);
    if (status != HAIL_OK) {
        fprintf(stderr, "cannot start: %s\n", hail_strerror(status));
        return 1;
    }
    bool good = hail_port(server) != 0 && strcmp(hail_version(), HAIL_VERSION) == 0;
    hail_stop(server, 0);
    puts(hail_version());
    return good ? 0 : 1;
}
