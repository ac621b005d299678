import path from 'node:path';
export const handler = async (event) => ({base: path.basename('/a/b'), event});
