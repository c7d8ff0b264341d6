/** The sign-in page that a scanned code led to: whoever carries a code proves it first, and signs in after that. */
import { carried } from './carry-code.js';

if (carried()) location.replace(document.querySelector('[data-start]').href);
