#include "sidecar/expression/function_inside.h"

#include <string.h>

const struct function functions[FUNCTION_COUNT] = {
#define FUNCTION(id, name, style, overloads, handler) {name, FUNCTION_##style, overloads, handler},
#include "sidecar/expression/function.def"
#undef FUNCTION
};

int function_find(struct bytes name, enum function_style style)
{
    for (int i = 0; i < FUNCTION_COUNT; i++)
        if (functions[i].style == style && bytes_equal(name, bytes_of_text(functions[i].name)))
            return i;
    return -1;
}
