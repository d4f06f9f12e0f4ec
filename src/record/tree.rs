//! The Merkle tree over the record, as RFC 6962 has it: leaf = SHA-256(0x00 ‖ entry),
//! node = SHA-256(0x01 ‖ left ‖ right). Appending keeps only the peaks of the tree.

use aws_lc_rs::digest::{Context, SHA256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = [0u8; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// Hash of an entry.
pub fn leaf(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// Hash of two subtrees side by side.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1u8; 65];
    let (_, hashes) = bytes.split_at_mut(1);
    let (first, second) = hashes.split_at_mut(32);
    first.copy_from_slice(left);
    second.copy_from_slice(right);
    sha256(&[&bytes])
}

/// What must be known of a tree in order to append to it and to tell its root: the roots of the
/// full subtrees it is made of, the largest first. There is one for every 1 in the binary form of
/// the size, so 10⁹ entries need 30 at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of a tree of that size with those peaks; `None` when their number is not that
    /// of the size.
    pub fn new(size: u64, peaks: Vec<Hash>) -> Option<Frontier> {
        (peaks.len() == size.count_ones() as usize).then_some(Frontier { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the full subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Appends a leaf: one node hash on average.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(leaf, 0);
    }

    /// Appends the root of a full subtree of 2^`level` leaves; false, and nothing is done, where
    /// the size is no multiple of that.
    pub fn push_subtree(&mut self, root: Hash, level: u32) -> bool {
        let Some(leaves) = 1u64.checked_shl(level) else { return false };
        if !self.size.is_multiple_of(leaves) {
            return false;
        }
        let mut joined = root;
        for _ in 0..(self.size >> level).trailing_ones() {
            let Some(left) = self.peaks.pop() else { return false };
            joined = node(&left, &joined);
        }
        self.peaks.push(joined);
        self.size += leaves;
        true
    }

    /// Root of the tree; of the empty tree the hash of nothing.
    pub fn root(&self) -> Hash {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| node(&left, &right));
        joined.unwrap_or_else(|| sha256(&[]))
    }

    /// The peaks as one text of bytes, as a database keeps them beside the size.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// Reads what `to_bytes` wrote; `None` when it is not for that size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Frontier> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() { Frontier::new(size, peaks.to_vec()) } else { None }
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Frontier {
        let mut frontier = Frontier::default();
        leaves.into_iter().for_each(|leaf| frontier.push(leaf));
        frontier
    }
}

/// Root of the tree over some leaves.
pub fn root(leaves: &[Hash]) -> Hash {
    leaves.iter().copied().collect::<Frontier>().root()
}

/// Largest power of two below `size`, which is at least 2: where a tree splits.
fn split(size: usize) -> usize {
    1 << (usize::BITS - 1 - (size - 1).leading_zeros())
}

/// Proof that the leaf of that index (from 0) is in the tree: the roots of the subtrees beside its
/// way up, the lowest first. `None` when there is no such leaf.
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut tree, mut index) = (leaves, index);
    while tree.len() > 1 {
        let middle = split(tree.len());
        let (left, right) = tree.split_at_checked(middle)?;
        if index < middle {
            path.push(root(right));
            tree = left;
        } else {
            path.push(root(left));
            (tree, index) = (right, index - middle);
        }
    }
    path.reverse();
    Some(path)
}

/// Whether a proof shows that `leaf` is the one of that index in the tree of that size and root
/// (RFC 9162, 2.1.3.2).
pub fn includes(leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last) = (index, size - 1);
    let mut hash = leaf;
    for beside in path {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            hash = node(beside, &hash);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, beside);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Proof that the tree over the first `old` leaves is the beginning of the tree over all of them.
/// `None` when there are fewer, or `old` is 0.
pub fn consistency(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old == 0 || old > leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let (mut tree, mut old, mut whole) = (leaves, old, true);
    while old != tree.len() {
        let middle = split(tree.len());
        let (left, right) = tree.split_at_checked(middle)?;
        if old <= middle {
            path.push(root(right));
            tree = left;
        } else {
            path.push(root(left));
            (tree, old, whole) = (right, old - middle, false);
        }
    }
    if !whole {
        path.push(root(tree));
    }
    path.reverse();
    Some(path)
}

/// A tree as a checkpoint tells of it: size and root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of leaves.
    pub size: u64,
    /// Root.
    pub root: Hash,
}

/// Whether a proof shows that `old` is the beginning of `new` (RFC 9162, 2.1.4.2).
pub fn extends(old: &Head, new: &Head, path: &[Hash]) -> bool {
    if old.size == new.size {
        return old.root == new.root && path.is_empty();
    }
    if old.size == 0 || old.size > new.size {
        return false;
    }
    let mut path = path.iter();
    let (mut position, mut last) = (old.size - 1, new.size - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let first = match old.size.is_power_of_two() {
        true => Some(&old.root),
        false => path.next(),
    };
    let Some(first) = first else { return false };
    let (mut old_root, mut new_root) = (*first, *first);
    for beside in path {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            old_root = node(beside, &old_root);
            new_root = node(beside, &new_root);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            new_root = node(&new_root, beside);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && old_root == old.root && new_root == new.root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::hex;
    use proptest::prelude::*;

    /// The leaves and roots that implementations of RFC 6962 test themselves with.
    const INPUTS: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn known() -> Vec<Hash> {
        INPUTS.iter().map(|input| leaf(input)).collect()
    }

    fn numbered(count: usize) -> Vec<Hash> {
        (0..count).map(|number| leaf(&number.to_be_bytes())).collect()
    }

    /// RFC 6962, 2.1, word by word.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(&[]),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(split(more.len()));
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn known_roots() {
        for (size, expected) in ROOTS.iter().enumerate() {
            assert_eq!(&hex(&root(&known()[..size])), expected, "{size}");
        }
    }

    /// The inclusion and consistency proofs of the same known tree.
    #[test]
    fn known_proofs() {
        let leaves = known();
        let shown = |path: Option<Vec<Hash>>| -> Vec<String> {
            path.unwrap().iter().map(|hash| hex(hash)[..8].to_owned()).collect()
        };
        assert_eq!(shown(inclusion(&leaves, 0)), ["96a296d2", "5f083f0a", "6b47aaf2"]);
        assert_eq!(shown(inclusion(&leaves, 5)), ["bc1a0643", "ca854ea1", "d37ee418"]);
        assert_eq!(shown(inclusion(&leaves[..3], 2)), ["fac54203"]);
        assert_eq!(shown(inclusion(&leaves[..5], 1)), ["6e340b9c", "5f083f0a", "bc1a0643"]);
        assert_eq!(shown(consistency(&leaves, 1)), ["96a296d2", "5f083f0a", "6b47aaf2"]);
        assert_eq!(shown(consistency(&leaves, 6)), ["0ebc5d34", "ca854ea1", "d37ee418"]);
        assert_eq!(shown(consistency(&leaves[..5], 2)), ["5f083f0a", "bc1a0643"]);
    }

    #[test]
    fn every_size_agrees_with_the_definition_and_comes_back_from_bytes() {
        let leaves = numbered(200);
        let mut frontier = Frontier::default();
        for size in 0..=leaves.len() {
            assert_eq!(frontier.root(), defined(&leaves[..size]), "{size}");
            let bytes = frontier.to_bytes();
            assert_eq!(Frontier::from_bytes(size as u64, &bytes).as_ref(), Some(&frontier));
            assert_eq!(Frontier::from_bytes(size as u64 + 2 * 256, &bytes), None);
            if let Some(leaf) = leaves.get(size) {
                frontier.push(*leaf);
            }
        }
    }

    #[test]
    fn whole_subtrees_count_like_their_leaves() {
        let leaves = numbered(64 + 5);
        let mut frontier = Frontier::default();
        for block in leaves[..64].chunks(16) {
            assert!(frontier.push_subtree(root(block), 4));
        }
        leaves[64..].iter().for_each(|leaf| frontier.push(*leaf));
        assert_eq!(frontier, leaves.iter().copied().collect());
        assert!(!frontier.push_subtree([0; 32], 4), "69 is no multiple of 16");
    }

    #[test]
    fn proofs_of_nothing() {
        assert_eq!(inclusion(&[], 0), None);
        assert_eq!(consistency(&known(), 0), None);
        assert_eq!(consistency(&known(), 9), None);
        assert!(!includes(leaf(b""), 0, 0, &[], &root(&[])));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn inclusion_holds_for_one_leaf_only(size in 1usize..120, index: usize, other: usize) {
            let leaves = numbered(size);
            let (index, other) = (index % size, other % size);
            let root = root(&leaves);
            let path = inclusion(&leaves, index).unwrap();
            prop_assert!(includes(leaves[index], index as u64, size as u64, &path, &root));
            if other != index {
                prop_assert!(!includes(leaves[other], index as u64, size as u64, &path, &root));
                prop_assert!(!includes(leaves[index], other as u64, size as u64, &path, &root));
            }
            let mut longer = path.clone();
            longer.push([0; 32]);
            prop_assert!(!includes(leaves[index], index as u64, size as u64, &longer, &root));
        }

        #[test]
        fn consistency_holds_for_true_beginnings_only(size in 1usize..120, old: usize, bad: usize) {
            let leaves = numbered(size);
            let old = old % size + 1;
            let head = |leaves: &[Hash]| Head { size: leaves.len() as u64, root: root(leaves) };
            let (before, after) = (head(&leaves[..old]), head(&leaves));
            let path = consistency(&leaves, old).unwrap();
            prop_assert!(extends(&before, &after, &path));
            let mut forked = leaves[..old].to_vec();
            forked[bad % old] = [7; 32];
            prop_assert!(!extends(&head(&forked), &after, &path));
            prop_assert!(!extends(&before, &head(&forked), &path) || old == size && forked == leaves);
        }
    }
}
