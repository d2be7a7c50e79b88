import * as z from "zod";

/** What a page is and offers, as a model reads it. The names are autoppia_iwa's. */
export const SemanticLabel = z.object({
  page_type: z.enum(["home", "search", "listing", "product", "cart", "checkout", "form", "unknown"]),
  /** 0 to 1. */
  goal_progress: z.number().min(0).max(1),
  affordances: z.object({
    can_go_back: z.boolean(),
    can_search: z.boolean(),
    can_filter: z.boolean(),
    can_add_to_cart: z.boolean(),
    can_submit_form: z.boolean(),
  }),
  /** Clicks from the home page. */
  nav_depth: z.number().int().min(0),
  item_count: z.number().int().min(0),
  price_present: z.boolean(),
  pagination_state: z.enum(["none", "has_next", "has_prev", "both"]),
  salient_entities: z.array(z.string()).max(50),
  is_on_wrong_product: z.boolean(),
  /** The model's own, 0 to 1. */
  confidence: z.number().min(0).max(1),
});
export type SemanticLabel = z.infer<typeof SemanticLabel>;

export const MissingLabel = z.enum([
  /** No browser was recorded. */
  "no-page",
  /** Two answers were no label. */
  "invalid-answer",
  "refused",
  "model-failed",
  "budget-exceeded",
]);
export type MissingLabel = z.infer<typeof MissingLabel>;

/** A label, or why there is none: none is made up. */
export type LabelOutcome =
  | { status: "labelled"; label: SemanticLabel }
  | { status: "missing"; reason: MissingLabel; message?: string };
