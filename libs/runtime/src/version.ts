/** Version of the whole product; the same as in package.json, which a test holds against it. */
export const VERSION = '0.1.0';
