import { describe, expect, test } from "vitest";
import cases from "../said_views.json";
import { type CardCase, type LensCase, type LooksCase, type MapsCase, SAY } from "./said_views";

type Said<T> = T & { says: string };

describe("in the words of the still pictures", () => {
  test.each(cases.lens as unknown as Said<LensCase>[])("the lens: $about", (one) => {
    expect(SAY.lens(one)).toBe(one.says);
  });

  test.each(cases.looks as unknown as Said<LooksCase>[])("a head's look: $about", (one) => {
    expect(SAY.looks(one)).toBe(one.says);
  });

  test.each(cases.card as unknown as Said<CardCase>[])("a head's card: $about", (one) => {
    expect(SAY.card(one)).toBe(one.says);
  });

  test.each(cases.maps as unknown as Said<MapsCase>[])("the small maps: $about", (one) => {
    expect(SAY.maps(one)).toBe(one.says);
  });
});
