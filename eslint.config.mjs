import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const tier = (files, forbidden, message) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns: [{ group: forbidden, message }] }]
  }
});

export default tseslint.config(
  { ignores: ['**/lib/**', '**/*.gen.ts', 'node_modules/**', 'jupyter_dlsys/**', '.venv/**'] },
  js.configs.recommended,
  {
    files: ['labextension/src/**/*.{ts,tsx}'],
    extends: [tseslint.configs.recommended],
    languageOptions: {
      parserOptions: {
        project: './labextension/tsconfig.json',
        tsconfigRootDir: import.meta.dirname
      }
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }],
      '@typescript-eslint/naming-convention': [
        'error',
        { selector: 'interface', format: ['PascalCase'], custom: { regex: '^I[A-Z]', match: true } }
      ],
      'no-undef': 'off', // tsc knows better
      'no-console': 'error',
      eqeqeq: ['error', 'smart'],
      curly: ['error', 'all'],
      'prefer-arrow-callback': 'error',
      'max-lines': ['error', { max: 350, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 80, skipComments: true }]
    }
  },
  // The four tiers: api → models → components, widgets → plugins. Nobody imports upwards.
  tier(
    ['labextension/src/api/**'],
    ['**/models/*', '**/components/*', '**/widgets/*', '**/plugins/*'],
    'api/ speaks HTTP and knows nothing above it'
  ),
  tier(
    ['labextension/src/models/**'],
    ['**/components/*', '**/widgets/*', '**/plugins/*'],
    'models/ may use api/ only'
  ),
  tier(
    ['labextension/src/components/**'],
    ['**/api/client*', '**/widgets/*', '**/plugins/*'],
    'components get props and never fetch'
  ),
  tier(['labextension/src/widgets/**'], ['**/plugins/*'], 'widgets do not know the plugins')
);
