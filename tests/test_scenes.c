// test_scenes.c: MLAPI's objects and scenes: which scene clients are sent into and what they find
// there, and the messages about objects, between an application and the bytes of MLAPI's wire.
// SPDX-License-Identifier: MIT
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/mlapi/bits.h"
#include "proto/mlapi/frame.h"
#include "proto/mlapi/session.h"
#include "tests/live_endpoint.h"

static const char *const scene_names[] = {"Lobby", "Arena", "arena", "Übung"};

static struct hail_config scene_config(void)
{
    struct hail_config config = live_config();

    config.profile = HAIL_PROFILE_MLAPI;
    config.mlapi.scenes = scene_names;
    config.mlapi.scene_count = LIVE_COUNTOF(scene_names);
    return config;
}

// ---- Which scene

static const struct {
    const char *why;
    const char *name;
    uint32_t index;
} places[] = {
    {"capitals come before small letters", "Arena", 0},
    {"and are other names", "arena", 2},
    {"the order of the list does not count", "Lobby", 1},
    {"nor does a language's: Ü is behind all of ASCII", "Übung", 3},
    {"a name that is none of them", "Garage", UINT32_MAX},
    {"the beginning of one", "Lob", UINT32_MAX},
    {"no name", "", UINT32_MAX},
};

START_TEST(test_index)
{
    const struct hail_config config = scene_config();

    ck_assert_msg(hail_scene_index(&config.mlapi, places[_i].name) == places[_i].index, "%s",
                  places[_i].why);
}
END_TEST

START_TEST(test_config_refuses)
{
    struct live_endpoint live = {0};
    struct hail_config config = scene_config();

    config.mlapi.scene = "Garage";
    ck_assert_int_eq(live_try_start(&live, &config, true), HAIL_EINVAL);
    ck_assert(live_logged(&live, HAIL_LOG_ERROR, "\"Garage\" is not one of mlapi.scenes"));
    live_stop(&live, 0);
}
END_TEST

// ---- A client of few words: without encryption, so that what it gets can be read.

static int join_raw(const struct live_endpoint *server, const struct hail_config *config)
{
    const struct hail_mlapi_network network = {
        .scenes = config->mlapi.scenes,
        .scene_count = config->mlapi.scene_count,
        .allow_runtime_scene_changes = config->mlapi.allow_runtime_scene_changes,
        .enable_networked_var = true,
        .force_same_prefabs = true,
        .enable_scene_management = true,
    };
    struct hail_mlapi_request_body request = {0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint8_t message[64];
    const struct timeval patience = {.tv_sec = live_patience_ms() / 1000};

    ck_assert(hail_mlapi_network_hash(&network, &request.config_hash));
    size_t len = hail_mlapi_request_write(message + 5, sizeof message - 5, &request, false);
    message[4] = HAIL_MLAPI_CONNECTION_REQUEST << 2;
    hail_mlapi_frame_write(message, len + 1);
    to.sin_port = htons(hail_port(server->endpoint));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    ck_assert_int_eq(write(fd, message, len + 5), (ssize_t)len + 5);
    return fd;
}

static void read_whole(int fd, uint8_t *out, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t part = read(fd, out + got, len - got);
        ck_assert_int_gt(part, 0);
        got += (size_t)part;
    }
}

// The next message but a time sync; returns the length of its body.
static size_t next_message(int fd, uint8_t *type, uint8_t body[256])
{
    uint8_t head[5];

    for (;;) {
        read_whole(fd, head, sizeof head);
        size_t len = (size_t)head[2] << 8 | head[3];
        ck_assert_uint_le(len, 256);
        read_whole(fd, body, len - 1);
        *type = head[4] >> 2;
        if (*type != HAIL_MLAPI_TIME_SYNC)
            return len - 1;
    }
}

static void expect_message(int fd, uint8_t type, const char *hex)
{
    struct vector_bytes want = test_unhex(hex);
    uint8_t body[256];
    uint8_t got_type;
    size_t len = next_message(fd, &got_type, body);

    ck_assert_uint_eq(got_type, type);
    ck_assert_uint_eq(len, want.len);
    ck_assert_mem_eq(body, want.data, len);
    free(want.data);
}

// Reads "approved" and returns its scene; the objects' bytes are `hex`.
static uint32_t expect_approved(int fd, uint64_t object_count, const char *hex)
{
    struct vector_bytes want = test_unhex(hex);
    uint8_t body[256];
    uint8_t type;
    size_t len = next_message(fd, &type, body);
    struct hail_bits_reader reader = hail_bits_reader(body, len);
    size_t guid_len;
    size_t rest_len;

    ck_assert_uint_eq(type, HAIL_MLAPI_CONNECTION_APPROVED);
    ck_assert_uint_eq(hail_bits_read_varint(&reader), 1);
    uint64_t index = hail_bits_read_varint(&reader);
    hail_bits_view_bytes(&reader, &guid_len);
    ck_assert_uint_eq(guid_len, 16);
    hail_bits_read_float(&reader);
    ck_assert_uint_eq(hail_bits_read_varint(&reader), object_count);
    const uint8_t *rest = hail_bits_rest(&reader, &rest_len);
    ck_assert_uint_eq(rest_len, want.len);
    if (rest_len > 0)
        ck_assert_mem_eq(rest, want.data, rest_len);
    free(want.data);
    return (uint32_t)index;
}

static const struct {
    const char *why;
    const char *scene;
    bool runtime_changes;
    int64_t set; // by hail_set_scene; -1: not
    enum hail_status status;
    uint32_t want;
} begins[] = {
    {"nothing said: the first", NULL, false, -1, HAIL_OK, 0},
    {"the config's", "Lobby", false, -1, HAIL_OK, 1},
    {"and then another", "Lobby", false, 3, HAIL_OK, 3},
    {"one that is not there changes nothing", "Lobby", false, 4, HAIL_EINVAL, 1},
    {"with runtime changes the application counts", NULL, true, 700, HAIL_OK, 700},
};

START_TEST(test_approved_scene)
{
    struct live_endpoint server = {0};
    struct hail_config config = scene_config();

    config.mlapi.enable_encryption = false;
    config.mlapi.scene = begins[_i].scene;
    config.mlapi.allow_runtime_scene_changes = begins[_i].runtime_changes;
    live_start(&server, &config, true);
    if (begins[_i].set >= 0)
        ck_assert_int_eq(hail_set_scene(server.endpoint, (uint32_t)begins[_i].set),
                         begins[_i].status);
    int fd = join_raw(&server, &config);
    ck_assert_msg(expect_approved(fd, 0, "") == begins[_i].want, "%s", begins[_i].why);
    close(fd);
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_profile_refuses)
{
    struct live_endpoint server = {0};
    struct hail_config config = live_config();
    const struct hail_message message = {.scene_type = HAIL_DESTROY_OBJECT, .data = "", .len = 1};
    const struct hail_scene scene = {.index = 1};

    config.profile = HAIL_PROFILE_HAIL;
    config.native.exchange = HAIL_UNSIGNED;
    live_start(&server, &config, true);
    ck_assert_int_eq(hail_set_scene(server.endpoint, 0), HAIL_EINVAL);
    ck_assert_int_eq(hail_send_all(server.endpoint, &message), HAIL_EINVAL);
    ck_assert_int_eq(hail_approve_into(server.endpoint, (struct hail_conn){1}, 0, &scene),
                     HAIL_EINVAL);
    live_stop(&server, 0);
}
END_TEST

// ---- Objects

// The forms of one object: bits from the least significant up, so each row was worked out by hand
// from MLAPI.md, "Objects and scenes".
static const struct {
    const char *why;
    bool prefab_sync;
    int type;
    struct hail_object object;
    const char *hex;
} forms[] = {
    // player 1; id 2 and owner 1, a bit later; no parent; no scene object; hash; no transform; no
    // payload: 1 | 02 | 01 | 0 | 0 | 07 | 0 | 0.
    {"added",
     false,
     HAIL_ADD_OBJECT,
     {.network_id = 2, .owner = 1, .hash = 7, .is_player = true},
     "05023800"},
    {"approved: without the payload's bit, the 29th",
     false,
     HAIL_APPROVED,
     {.network_id = 2, .owner = 1, .hash = 7, .is_player = true},
     "05023800"},
    {"of the scene",
     false,
     HAIL_ADD_OBJECT,
     {.network_id = 2, .owner = 0, .hash = 7, .is_scene_object = true},
     "04003c00"},
    {"with prefab sync nobody asks whether it is the scene's",
     true,
     HAIL_ADD_OBJECT,
     {.network_id = 2, .owner = 0, .hash = 7, .is_scene_object = true},
     "04001c00"},
    {"with a parent",
     true,
     HAIL_ADD_OBJECT,
     {.network_id = 2, .owner = 0, .hash = 7, .has_parent = true, .parent = 3},
     "04000e1c00"},
    {"in a new scene: nothing behind its instance",
     false,
     HAIL_SWITCH_SCENE,
     {.network_id = 2, .owner = 0, .hash = 7, .has_transform = true},
     "04001c00"},
    {"in a new scene, by its prefab, where clients read a transform",
     true,
     HAIL_SWITCH_SCENE,
     {.network_id = 2,
      .owner = 0,
      .hash = 7,
      .has_transform = true,
      .position = {1, 0, 0},
      .rotation = {0, 90, 0}},
     "04001cdc070000fc010000d80700a0150200"},
    {"with a payload of two bytes",
     true,
     HAIL_ADD_OBJECT,
     {.network_id = 2, .owner = 0, .hash = 7, .payload = "\x0f\xf0", .payload_len = 2},
     "04001c48f0000f"},
};

START_TEST(test_forms)
{
    struct live_endpoint server = {0};
    struct hail_config config = scene_config();
    uint8_t bytes[128];
    struct hail_writer writer;
    char got[257] = "";

    config.mlapi.use_prefab_sync = forms[_i].prefab_sync;
    live_start(&server, &config, true);
    hail_writer_init(&writer, bytes, sizeof bytes);
    hail_write_object(server.endpoint, &writer, forms[_i].type, &forms[_i].object);
    ck_assert(!writer.failed);
    for (size_t i = 0; i < hail_writer_len(&writer); i++)
        snprintf(got + 2 * i, 3, "%02x", bytes[i]);
    ck_assert_msg(strcmp(got, forms[_i].hex) == 0, "%s: %s, not %s", forms[_i].why, got,
                  forms[_i].hex);
    live_stop(&server, 0);
}
END_TEST

// The document's example is the first of them.
START_TEST(test_document)
{
    struct vector_bytes example = vector_document("proto/mlapi/MLAPI.md", "object");
    struct vector_bytes own = test_unhex(forms[0].hex);

    ck_assert_uint_eq(example.len, own.len);
    ck_assert_mem_eq(example.data, own.data, own.len);
    free(example.data);
    free(own.data);
}
END_TEST

// What MLAPI's client does with an object's bytes, in the order in which it reads them.
static void read_as_client(struct hail_reader *reader, int type, bool by_prefab, size_t var_bits,
                           struct hail_object *object, uint8_t *payload)
{
    bool is_added = type == HAIL_ADD_OBJECT || type == HAIL_ADD_OBJECTS;

    *object = (struct hail_object){.is_player = hail_read_bool(reader)};
    object->network_id = hail_read_uint(reader);
    object->owner = hail_read_uint(reader);
    object->has_parent = hail_read_bool(reader);
    if (object->has_parent)
        object->parent = hail_read_uint(reader);
    if (!by_prefab && type != HAIL_SWITCH_SCENE)
        object->is_scene_object = hail_read_bool(reader);
    object->hash = hail_read_uint(reader);
    if (by_prefab || type != HAIL_SWITCH_SCENE)
        object->has_transform = hail_read_bool(reader);
    for (size_t i = 0; object->has_transform && i < 6; i++)
        (i < 3 ? object->position : object->rotation)[i % 3] = hail_read_float(reader);
    bool has_payload = is_added && hail_read_bool(reader);
    object->payload_len = has_payload ? (size_t)hail_read_int(reader) : 0;
    for (size_t i = 0; i < var_bits; i++)
        ck_assert_int_eq(hail_read_bool(reader), i % 3 == 0);
    for (size_t i = 0; i < object->payload_len; i++)
        payload[i] = hail_read_byte(reader);
}

static struct hail_object any_object(uint64_t *dice, const uint8_t *payload, size_t payload_max)
{
    struct hail_object object = {
        .network_id = test_next(dice) >> test_next(dice) % 64,
        .owner = test_next(dice) % 300,
        .hash = test_next(dice) >> test_next(dice) % 64,
        .is_player = test_next(dice) & 1,
        .has_parent = test_next(dice) & 1,
        .has_transform = test_next(dice) & 1,
        .payload = test_next(dice) & 1 ? payload : NULL,
    };

    object.parent = object.has_parent ? test_next(dice) % 70000 : 0;
    object.payload_len = object.payload ? test_next(dice) % payload_max : 0;
    for (size_t i = 0; object.has_transform && i < 3; i++) {
        object.position[i] = (float)(int32_t)test_next(dice) / 1000;
        object.rotation[i] = (float)(test_next(dice) % 360);
    }
    return object;
}

// Several objects in one message, one behind the other at any bit, are what a client reads.
START_TEST(test_round_trip)
{
    static const int types[] = {HAIL_ADD_OBJECT, HAIL_ADD_OBJECTS, HAIL_SWITCH_SCENE,
                                HAIL_APPROVED};
    uint64_t dice = test_seed();
    struct live_endpoint server = {0};
    struct hail_config config = scene_config();

    config.mlapi.use_prefab_sync = _i;
    live_start(&server, &config, true);
    for (int round = 0; round < 400; round++) {
        int type = types[round % 4];
        uint8_t bytes[2048];
        uint8_t var_bytes[16];
        uint8_t payload[20];
        struct hail_object sent[5];
        struct hail_writer writer;
        struct hail_writer variables;
        struct hail_reader reader;
        size_t var_bits = test_next(&dice) % 100;

        for (size_t i = 0; i < sizeof payload; i++)
            payload[i] = (uint8_t)test_next(&dice);
        hail_writer_init(&variables, var_bytes, sizeof var_bytes);
        for (size_t i = 0; i < var_bits; i++)
            hail_write_bool(&variables, i % 3 == 0);
        hail_writer_init(&writer, bytes, sizeof bytes);
        for (size_t i = 0; i < LIVE_COUNTOF(sent); i++) {
            sent[i] = any_object(&dice, payload, sizeof payload);
            sent[i].variables = &variables;
            hail_write_object(server.endpoint, &writer, type, &sent[i]);
        }
        ck_assert(!writer.failed);
        hail_reader_init(&reader, bytes, hail_writer_len(&writer));
        for (size_t i = 0; i < LIVE_COUNTOF(sent); i++) {
            struct hail_object got;
            uint8_t got_payload[sizeof payload];
            bool is_added = type == HAIL_ADD_OBJECT || type == HAIL_ADD_OBJECTS;
            read_as_client(&reader, type, _i, var_bits, &got, got_payload);
            ck_assert(!reader.failed);
            ck_assert_uint_eq(got.network_id, sent[i].network_id);
            ck_assert_uint_eq(got.owner, sent[i].owner);
            ck_assert_uint_eq(got.hash, sent[i].hash);
            ck_assert_uint_eq(got.parent, sent[i].parent);
            ck_assert_int_eq(got.is_player, sent[i].is_player);
            if (got.has_transform)
                ck_assert_mem_eq(got.position, sent[i].position, sizeof got.position);
            if (is_added)
                ck_assert_uint_eq(got.payload_len, sent[i].payload_len);
            if (is_added && got.payload_len > 0)
                ck_assert_mem_eq(got_payload, payload, got.payload_len);
        }
    }
    live_stop(&server, 0);
}
END_TEST

START_TEST(test_writer_fails)
{
    struct live_endpoint server = {0};
    struct hail_config config = scene_config();
    const struct hail_object object = {.network_id = 2, .hash = 7};
    uint8_t bytes[16];
    struct hail_writer writer;

    live_start(&server, &config, true);
    for (size_t room = 0; room <= sizeof bytes; room++) {
        hail_writer_init(&writer, bytes, room);
        hail_write_object(server.endpoint, &writer, HAIL_ADD_OBJECT, &object);
        ck_assert_int_eq(writer.failed, room < 4);
    }
    hail_writer_init(&writer, bytes, sizeof bytes);
    hail_write_object(server.endpoint, &writer, HAIL_DESTROY_OBJECT, &object);
    ck_assert(writer.failed); // a message of that type has no objects
    live_stop(&server, 0);
}
END_TEST

// ---- End to end

static void approve_into(struct live_endpoint *live, struct hail_endpoint *endpoint,
                         const struct hail_event *event)
{
    enum hail_status *statuses = live->user;
    const struct hail_object object = {.network_id = 2, .owner = 1, .hash = 7, .is_player = true};
    uint8_t bytes[64];
    struct hail_writer writer;
    struct hail_scene scene = {.index = 2, .object_count = 1, .objects = &writer};

    if (event->type != HAIL_EVENT_REQUEST)
        return;
    hail_writer_init(&writer, bytes, 1);
    hail_write_object(endpoint, &writer, HAIL_APPROVED, &object);
    statuses[0] = hail_approve_into(endpoint, event->conn, 5, &scene); // it did not fit
    hail_writer_init(&writer, bytes, sizeof bytes);
    hail_write_object(endpoint, &writer, HAIL_APPROVED, &object);
    statuses[1] = hail_approve_into(endpoint, event->conn, 5, &scene);
}

// A client is approved into a scene with an object in it, is told of another and of a switch, and
// says that it has switched.
START_TEST(test_session)
{
    enum hail_status statuses[2] = {HAIL_EABI, HAIL_EABI};
    struct live_endpoint server = {.react = approve_into, .user = statuses, .polls = _i};
    struct hail_config config = scene_config();
    static const uint8_t id[HAIL_SCENE_SWITCH_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    uint8_t switched[5 + 1 + HAIL_SCENE_SWITCH_LEN] = {[4] = HAIL_SCENE_SWITCHED << 2, [5] = 16};
    uint8_t bytes[64];
    struct hail_writer writer;

    config.approves_all = false;
    config.mlapi.enable_encryption = false;
    live_start(&server, &config, true);
    int fd = join_raw(&server, &config);
    struct hail_conn conn = live_wait(&server, HAIL_EVENT_CONNECTED, 0)->event.conn;
    ck_assert_int_eq(statuses[0], HAIL_EINVAL);
    ck_assert_int_eq(statuses[1], HAIL_OK);
    ck_assert_uint_eq(expect_approved(fd, 1, "05023800"), 2);

    const struct hail_object late = {.network_id = 3, .hash = 7};
    hail_writer_init(&writer, bytes, sizeof bytes);
    hail_write_object(server.endpoint, &writer, HAIL_ADD_OBJECT, &late);
    struct hail_message message = {
        .data = bytes, .len = hail_writer_len(&writer), .scene_type = HAIL_ADD_OBJECT};
    ck_assert_int_eq(hail_send_all(server.endpoint, &message), HAIL_OK);
    expect_message(fd, HAIL_ADD_OBJECT, "06003800");

    hail_writer_init(&writer, bytes, sizeof bytes);
    hail_write_scene_switch(&writer, 1, id, 0);
    message = (struct hail_message){
        .data = bytes, .len = hail_writer_len(&writer), .scene_type = HAIL_SWITCH_SCENE};
    ck_assert_int_eq(hail_send(server.endpoint, conn, &message), HAIL_OK);
    expect_message(fd, HAIL_SWITCH_SCENE, "01100102030405060708090000000000000000");

    message.scene_type = HAIL_SCENE_SWITCHED; // a client's to say
    ck_assert_int_eq(hail_send(server.endpoint, conn, &message), HAIL_EINVAL);

    hail_mlapi_frame_write(switched, sizeof switched - 4);
    memcpy(switched + 6, id, sizeof id);
    ck_assert_int_eq(write(fd, switched, sizeof switched), (ssize_t)sizeof switched);
    const struct live_event *told = live_wait(&server, HAIL_EVENT_SCENE, 0);
    struct hail_reader reader;
    uint8_t got[HAIL_SCENE_SWITCH_LEN];
    ck_assert_uint_eq(told->event.scene_type, HAIL_SCENE_SWITCHED);
    hail_reader_init(&reader, told->data, told->event.len);
    ck_assert_uint_eq(hail_read_stream_bytes(&reader, got, sizeof got), sizeof id);
    ck_assert_mem_eq(got, id, sizeof id);
    close(fd);
    live_stop(&server, 0);
}
END_TEST

// MLAPI sends these messages in the clear: below a floor, unless the application takes them so.
START_TEST(test_floor)
{
    struct live_endpoint server = {0};
    struct live_endpoint client = {0};
    struct hail_config config = scene_config();
    struct live_pair pair;

    config.default_floor = HAIL_ENCRYPTED | HAIL_AUTHENTICATED;
    config.mlapi.takes_scenes_plain = _i;
    live_start(&server, &config, true);
    live_start(&client, &config, false);
    live_join(&pair, 1, &server, &client, 1);
    struct hail_message message = {.data = "\x02\x00", .len = 2, .scene_type = HAIL_VAR_DELTA};
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    message.flags = HAIL_ENCRYPTED | HAIL_AUTHENTICATED;
    ck_assert_int_eq(hail_send(client.endpoint, pair.client, &message), HAIL_OK);
    ck_assert_uint_eq(live_wait(&server, HAIL_EVENT_SCENE, 0)->event.flags, _i ? 0 : 3);
    if (_i)
        ck_assert_uint_eq(live_wait(&server, HAIL_EVENT_SCENE, 1)->event.flags, 3);
    ck_assert_uint_eq(live_stat(&server, "dropped_floor"), _i ? 0 : 1);
    live_stop(&client, 0);
    live_stop(&server, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenes");
    TCase *tests = tcase_create("scenes");

    tcase_set_timeout(tests, 4.0 * (double)live_patience_ms() / 1000.0);
    tcase_add_loop_test(tests, test_index, 0, (int)LIVE_COUNTOF(places));
    tcase_add_test(tests, test_config_refuses);
    tcase_add_loop_test(tests, test_approved_scene, 0, (int)LIVE_COUNTOF(begins));
    tcase_add_test(tests, test_profile_refuses);
    tcase_add_loop_test(tests, test_forms, 0, (int)LIVE_COUNTOF(forms));
    tcase_add_test(tests, test_document);
    tcase_add_loop_test(tests, test_round_trip, 0, 2);
    tcase_add_test(tests, test_writer_fails);
    tcase_add_loop_test(tests, test_session, 0, 2);
    tcase_add_loop_test(tests, test_floor, 0, 2);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
