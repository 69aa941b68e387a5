#!/usr/bin/env -S node --disable-proto=throw --disallow-code-generation-from-strings
import { launch } from '../../../bin/launch.mjs';

await launch('replica');
