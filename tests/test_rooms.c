// test_rooms.c: rooms against a flat list of who is where.
// SPDX-License-Identifier: MIT
#include "tests/vectors.h"
#include "tools/load/rooms.h"

#include <string.h>

enum {
    CONNS = 40,
    STEPS = 20000
};

// Names that are easy to confuse: of no length, with a zero in it, one the beginning of another.
static const struct {
    const char *bytes;
    size_t len;
} names[] = {{"", 0}, {"a", 1}, {"ab", 2}, {"a\0b", 3}, {"a\0c", 3}, {"b", 1}, {"\xff", 1}};

enum {
    NAMES = sizeof names / sizeof *names
};

// Where each connection is: a name's number plus one, or 0; the model.
struct model {
    unsigned where[CONNS];
    struct room *rooms[CONNS];
};

static struct hail_conn conn_of(size_t index)
{
    return (struct hail_conn){.id = 1000 + index};
}

static void check_member(const struct model *model, size_t index)
{
    struct hail_conn own = conn_of(index);
    bool seen[CONNS] = {false};
    size_t count;
    size_t want = 0;
    const struct hail_conn *others = rooms_others(model->rooms[index], own, &count);

    for (size_t i = 0; i < count; i++) {
        size_t other = (size_t)(others[i].id - 1000);
        ck_assert_uint_lt(other, CONNS);
        ck_assert_msg(other != index, "a member is not among the others");
        ck_assert_uint_eq(model->where[other], model->where[index]);
        ck_assert_msg(!seen[other], "nobody is there twice");
        seen[other] = true;
    }
    for (size_t i = 0; i < CONNS; i++)
        want += i != index && model->where[i] == model->where[index];
    ck_assert_uint_eq(count, want);
}

static void check_count(const struct model *model, const struct rooms *rooms)
{
    size_t want = 0;

    for (unsigned name = 1; name <= NAMES; name++) {
        bool in_use = false;
        for (size_t i = 0; i < CONNS; i++)
            in_use |= model->where[i] == name;
        want += in_use;
    }
    ck_assert_uint_eq(rooms->room_count, want);
}

START_TEST(test_against_list)
{
    struct rooms rooms = {0};
    struct model model = {0};
    uint64_t seed = test_seed();

    for (int step = 0; step < STEPS; step++) {
        size_t index = test_next(&seed) % CONNS;
        if (model.where[index] == 0) {
            size_t name = test_next(&seed) % NAMES;
            model.where[index] = (unsigned)name + 1;
            model.rooms[index] =
                rooms_join(&rooms, names[name].bytes, names[name].len, conn_of(index));
            ck_assert_ptr_nonnull(model.rooms[index]);
            check_member(&model, index);
        } else {
            check_member(&model, index);
            if (test_next(&seed) % 2 == 0)
                rooms_leave(&rooms, model.rooms[index], conn_of(index));
            else
                rooms_forget(&rooms, conn_of(index));
            model.where[index] = 0;
        }
        check_count(&model, &rooms);
    }
    rooms_cleanup(&rooms);
    ck_assert_uint_eq(rooms.room_count, 0);
}
END_TEST

START_TEST(test_strangers)
{
    struct rooms rooms = {0};
    struct room *room = rooms_join(&rooms, "x", 1, conn_of(1));
    size_t count;

    rooms_forget(&rooms, conn_of(2)); // in no room
    rooms_leave(&rooms, room, conn_of(2));
    ck_assert_uint_eq(rooms.room_count, 1);
    const struct hail_conn *others = rooms_others(room, conn_of(2), &count);
    ck_assert_uint_eq(count, 1); // to a stranger all members are others
    ck_assert_uint_eq(others[0].id, conn_of(1).id);
    rooms_leave(&rooms, room, conn_of(1));
    ck_assert_uint_eq(rooms.room_count, 0);
    rooms_forget(&rooms, conn_of(1));
    rooms_cleanup(&rooms);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rooms");
    TCase *tests = tcase_create("rooms");

    tcase_add_test(tests, test_strangers);
    tcase_add_test(tests, test_against_list);
    suite_add_tcase(suite, tests);
    return test_run(suite);
}
