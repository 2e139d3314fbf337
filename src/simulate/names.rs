//! Names of people who do not exist.

const FIRST: [&str; 40] = [
    "alex", "amara", "ana", "arjun", "bea", "carlos", "chen", "dana", "diego", "elif", "emma", "farid", "grace",
    "hana", "ines", "ivan", "jamal", "jonas", "kaito", "kofi", "lara", "leo", "lin", "maya", "mina", "noah", "nora",
    "omar", "pia", "quinn", "ravi", "rosa", "sam", "sofia", "tariq", "tess", "uma", "viktor", "wei", "zoe",
];
const LAST: [&str; 32] = [
    "abebe", "adler", "baker", "becker", "castro", "costa", "diaz", "dubois", "eriksen", "fischer", "garcia", "haddad",
    "ivanov", "jensen", "kaya", "keller", "kumar", "lopez", "meyer", "moreau", "nakata", "novak", "okafor", "patel",
    "reyes", "rossi", "sato", "silva", "tran", "vargas", "weber", "young",
];

/// The account of the person with this number; no two are the same.
pub fn account(number: usize) -> String {
    let (first, last) = (FIRST[number % FIRST.len()], LAST[(number / FIRST.len() + number) % LAST.len()]);
    match number / (FIRST.len() * LAST.len()) {
        0 => format!("{first}.{last}"),
        round => format!("{first}.{last}{round}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn no_two_people_have_the_same_account() {
        let accounts: BTreeSet<String> = (0..16_000).map(super::account).collect();
        assert_eq!(accounts.len(), 16_000);
    }
}
