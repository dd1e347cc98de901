//! Rules of numbers that no table of weights holds. Each takes the compact form: upper case, no separators, no prefix of
//! the country unless it is part of the sum.

mod americas;
mod asia;
mod bank;
mod europe;
mod person;

pub(in crate::detect) use americas::{us_ein, us_itin, us_ssn, ve_rif, vin};
pub(in crate::detect) use asia::{au_abn, hk_id, kr_brn, nz_ird, sg_nric, tr_tckn, tr_vkn, tw_id, tw_ubn};
pub(super) use bank::iban_length;
pub(in crate::detect) use bank::{iban, unlisted_card};
pub(in crate::detect) use europe::{
    be_nn, be_vat, de_idnr, de_kvnr, de_svnr, es_cif, es_nie, fr_nif, fr_nir, fr_vat, gb_nino, gb_vat,
    ie_pps, lu_nin, nl_vat, pt_cc, two_stage, ua_edrpou,
};
pub(in crate::detect) use person::{it_cf, mx_curp};
