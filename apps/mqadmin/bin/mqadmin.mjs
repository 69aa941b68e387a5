#!/usr/bin/env -S node --disable-proto=throw --disallow-code-generation-from-strings --max-semi-space-size=16 --heap-growing-percent=200
import { launch } from '../../../bin/launch.mjs';

await launch('mqadmin');
