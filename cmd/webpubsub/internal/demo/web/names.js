const NAMES = [
  "Acorn", "Alder", "Aster", "Badger", "Basil", "Beaver", "Birch", "Clover", "Cricket", "Daisy", "Ember", "Falcon",
  "Fennel", "Fern", "Finch", "Fox", "Hazel", "Heron", "Ivy", "Juniper", "Kestrel", "Lark", "Linden", "Lynx", "Maple",
  "Marten", "Moss", "Nettle", "Otter", "Owl", "Pebble", "Pine", "Plover", "Poppy", "Quail", "Raven", "River", "Robin",
  "Rowan", "Sage", "Sorrel", "Sparrow", "Swift", "Thistle", "Willow", "Wren",
];

/** A name for somebody who has none yet. */
export const suggestion = () => NAMES[Math.floor(Math.random() * NAMES.length)];
