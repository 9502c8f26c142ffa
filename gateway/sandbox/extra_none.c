#include "page.h"

/* Every build but those with sanitizers. */
const struct sandbox_table SANDBOX_EXTRA = {"", NULL, 0};
const bool SANDBOX_LIMITS_ADDRESS_SPACE = true;

void sandbox_extra_prepare(void)
{
}
