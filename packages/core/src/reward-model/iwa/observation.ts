import { pythonFloat } from "../../atif/python-json.ts";
import { sha256Hex } from "../../ids.ts";
import type { Episode, EpisodeStep } from "../episode.ts";
import { cleanDom, urlTokens } from "./python-text.ts";

/** What autoppia_iwa's policy is shown of one step. Numbers of `dyn` are floats. */
export interface ObsPublic {
  url_tokens: string[];
  dom_excerpt: string;
  dyn: { url_changed: number; stagnation: number; iteration_norm: number };
  /** The action that led to this page. */
  action_prev: string;
}

/** Where a page stands in its episode. */
export interface Movement {
  /** True on the first step. */
  urlChanged: boolean;
  /** Steps in a row that the URL has stayed. */
  stagnation: number;
}

/** The movement of each step of an episode, in order. */
export function movements({ steps }: Pick<Episode, "steps">): Movement[] {
  let previous: string | undefined;
  let stagnation = 0;
  return steps.map(({ action_result: { browser_snapshot: page } }) => {
    const urlChanged = page.current_url !== previous;
    stagnation = urlChanged ? 0 : stagnation + 1;
    previous = page.current_url;
    return { urlChanged, stagnation };
  });
}

/** The observation of a step, field by field as the original makes it. */
export function obsPublic(step: EpisodeStep, { urlChanged, stagnation }: Movement): ObsPublic {
  const { action, current_html, current_url, iteration } = step.action_result.browser_snapshot;
  return {
    url_tokens: urlTokens(current_url),
    dom_excerpt: cleanDom(current_html),
    dyn: { url_changed: urlChanged ? 1 : 0, stagnation, iteration_norm: iteration },
    action_prev: action.kind,
  };
}

/** As pydantic writes it: no spaces, floats with a point. */
export function obsJson({ url_tokens, dom_excerpt, dyn, action_prev }: ObsPublic): string {
  const numbers = Object.entries(dyn).map(([name, value]) => `"${name}":${pythonFloat(value)}`);
  const text = JSON.stringify({ url_tokens, dom_excerpt });
  return `${text.slice(0, -1)},"dyn":{${numbers.join(",")}},"action_prev":${JSON.stringify(action_prev)}}`;
}

/** Under which name the original keeps the label of a page. */
export function labelCacheKey(url: string, domExcerpt: string): string {
  return sha256Hex(url + domExcerpt);
}
