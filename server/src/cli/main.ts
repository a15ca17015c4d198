#!/usr/bin/env node
/** The `centroid` command, as this package installs it. */
import "@centroid/cli/main";
