"""About an exam, in plain words: what was done, what one sees, how many pictures are normal, and the radiation.

Never a word of what was found. Radiation is compared with what nature gives (3 mSv a year) where a source gives the
number: the dose reference card of the ACR and RSNA (RadiologyInfo.org, "Radiation Dose to Adults From Common Imaging
Examinations"); for limbs and joints the guidelines of the Royal College of Radiologists (less than 0.01 mSv); for bone
scans ICRP 128 (0.0057 mSv/MBq, of some 740 MBq). They are of adults of average size, so the words say "about".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SOUND: Final = _("Ultrasound works with sound waves. It uses no radiation.")
MAGNET: Final = _("MRI works with a strong magnet and radio waves. It uses no X-rays.")
MIRRORED: Final = _(
    "Slices across the body are seen from the feet, so the right side of the body is on the left of the picture."
)
HUNDREDS: Final = _("Hundreds of pictures are normal. Most of them are there for the radiologist.")
SOME_XRAYS: Final = _("X-rays are a kind of radiation. As little as possible is used.")
CT_XRAYS: Final = _("A CT scan uses more X-rays than a single X-ray picture. As little as possible is used.")
COLORS: Final = _("Colors, if there are any, show which way blood flows. Red and blue do not mean good or bad.")

TOLD: Final[Mapping[str, tuple[Promise, ...]]] = {
    "xray chest": (
        _(
            "A chest X-ray shows the lungs, the heart and the ribs. Air in the lungs looks dark, bones and heart "
            "bright."
        ),
        _("One or two pictures are normal: one from the front and often one from the side."),
        _("The radiation is about what nature gives everybody in ten days."),
    ),
    "xray limb": (
        _("This X-ray shows bones and joints. Bones look bright, muscle and fat are grey, and air is black."),
        _("Two or more pictures are normal, as bones are looked at from more than one side."),
        _("The radiation is less than nature gives everybody in two days."),
    ),
    "xray bone": (
        _("This X-ray shows bones and joints. Bones look bright, muscle and fat are grey, and air is black."),
        _("Two or more pictures are normal, as bones are looked at from more than one side."),
        SOME_XRAYS,
    ),
    "xray spine": (
        _(
            "This X-ray shows the bones of the spine, one above the other. Bones look bright. The discs between "
            "them do not show: they are the darker gaps."
        ),
        _("Two to five pictures are normal, from the front and from the side."),
        _("The radiation is about what nature gives everybody in six months."),
    ),
    "xray abdomen": (
        _("This X-ray shows the belly. Gas in the bowel looks dark, bones look bright, and organs are shades of grey."),
        _("One to three pictures are normal, lying down or standing up."),
        SOME_XRAYS,
    ),
    "xray teeth": (
        _("A dental X-ray shows the teeth and the jaw. Teeth and bone look bright, and metal fillings look white."),
        _("One wide picture or several small ones are normal."),
        _(
            "The radiation is about what nature gives everybody in one day for a small picture, a little more for"
            " a wide one."
        ),
    ),
    "xray": (
        _(
            "An X-ray is a picture made by rays that pass through the body. Bones look bright, air looks dark, "
            "and the rest is shades of grey."
        ),
        _("One to four pictures are normal, taken from different sides."),
        SOME_XRAYS,
    ),
    "mammogram": (
        _(
            "A mammogram is an X-ray of the breasts, each pressed flat for a few seconds. Fat looks dark and "
            "gland tissue looks bright. The mix of the two is different in everybody."
        ),
        _(
            "Four pictures are normal, two of each breast. CC is seen from above, MLO at an angle from the side; "
            "R is right, L is left."
        ),
        _("The radiation is about what nature gives everybody in seven weeks."),
    ),
    "tomosynthesis": (
        _(
            "This mammogram also shows the breast in thin slices (3D, or tomosynthesis). You can scroll through "
            "them like the pages of a book. Fat looks dark and gland tissue looks bright."
        ),
        _("Dozens of slices of each breast are normal. Most of them are there for the radiologist."),
        SOME_XRAYS,
    ),
    "us abdomen": (
        _(
            "This ultrasound shows organs in the belly, such as the liver and the kidneys. Fluid looks black, "
            "most organs look grey, and bone looks bright with a shadow behind it."
        ),
        _(
            "Twenty to sixty pictures are normal. Many look alike, as each organ is seen from several sides and "
            "measured."
        ),
        SOUND,
    ),
    "us pregnancy": (
        _(
            "This ultrasound was made during a pregnancy. Fluid looks black, soft parts look grey, and bone looks"
            " bright. Small crosses and dotted lines mark where something was measured."
        ),
        _("Twenty to a hundred pictures are normal, as many things are measured each time."),
        SOUND,
    ),
    "echocardiogram": (
        _(
            "An echocardiogram shows the beating heart. Blood looks black, the heart muscle looks grey, and the "
            "valves are thin lines that move."
        ),
        COLORS,
        _("Dozens of short films are normal. Most of them are there for the heart doctor."),
        SOUND,
    ),
    "us vessels": (
        _("This ultrasound shows blood vessels. The blood in them looks black, and the walls look grey."),
        COLORS,
        _("Twenty to a hundred pictures are normal, as each vessel is followed along its way."),
        SOUND,
    ),
    "us": (
        _(
            "Ultrasound makes pictures with sound waves. Fluid looks black, soft parts look grey, and bone looks "
            "bright with a shadow behind it."
        ),
        _("Ten to sixty pictures are normal. Many look alike, as things are seen from several sides and measured."),
        SOUND,
    ),
    "ct head": (
        _(
            "A CT scan of the head shows it in thin slices. Bone looks white, the brain is grey, fluid is dark, "
            "and air is black."
        ),
        MIRRORED,
        _("Thirty to a few hundred pictures are normal. Most of them are there for the radiologist."),
        _("The radiation is about what nature gives everybody in eight months."),
    ),
    "ct chest": (
        _(
            "A CT scan of the chest shows it in thin slices. Air in the lungs looks black, the heart and vessels "
            "are grey, and bone is white."
        ),
        MIRRORED,
        HUNDREDS,
        _("The radiation is about what nature gives everybody in two years."),
    ),
    "ct abdomen": (
        _(
            "This CT scan shows the belly in thin slices. Organs are grey, fat is dark, air in the bowel is "
            "black, and bone is white. Contrast fluid, if it was given, makes vessels and bowel bright."
        ),
        MIRRORED,
        HUNDREDS,
        _("The radiation is about what nature gives everybody in three years."),
    ),
    "ct body": (
        _(
            "This CT scan shows the chest and the belly in thin slices. Air is black, fat is dark, organs are "
            "grey, and bone is white. Contrast fluid, if it was given, makes vessels and bowel bright."
        ),
        MIRRORED,
        HUNDREDS,
        CT_XRAYS,
    ),
    "ct spine": (
        _(
            "This CT scan shows the bones of the spine in thin slices. Bone is white, the discs between the bones"
            " are grey, and fat is dark."
        ),
        HUNDREDS,
        _("The radiation is about what nature gives everybody in two years."),
    ),
    "ct angiogram": (
        _(
            "This CT scan looks at blood vessels. Contrast fluid in a vein makes the blood bright, so that the "
            "vessels stand out against the grey around them."
        ),
        _(
            "Hundreds of pictures are normal, and some show the vessels as a model in 3D. Most of them are there "
            "for the radiologist."
        ),
        CT_XRAYS,
    ),
    "ct": (
        _(
            "A CT scan shows the body in thin slices. Bone is white, soft parts are grey, fat is dark, and air is"
            " black."
        ),
        MIRRORED,
        HUNDREDS,
        CT_XRAYS,
    ),
    "mr brain": (
        _(
            "An MRI scan of the brain takes the same slices in several ways. In some, fluid looks dark, in others"
            " it looks bright. Bright or dark alone does not mean good or bad."
        ),
        MIRRORED,
        HUNDREDS,
        MAGNET,
    ),
    "mr spine": (
        _(
            "This MRI scan shows the spine: bones like blocks, discs like cushions between them, and the nerves "
            "as a grey cord behind. The fluid around the nerves is bright in some series and dark in others."
        ),
        HUNDREDS,
        MAGNET,
    ),
    "mr joint": (
        _(
            "This MRI scan shows a joint in slices from several sides. Tendons and ligaments are dark bands, fat "
            "in the bones is bright in some series, and fluid is bright in others."
        ),
        HUNDREDS,
        MAGNET,
    ),
    "mr breast": (
        _(
            "This MRI scan shows the breasts in thin slices. The same slices are taken again and again while "
            "contrast fluid flows in, so that one can see how it spreads."
        ),
        _("Hundreds or thousands of pictures are normal. Most of them are there for the radiologist."),
        MAGNET,
    ),
    "mr abdomen": (
        _(
            "This MRI scan shows organs of the belly in slices. The same slices are taken in several ways: fluid "
            "looks bright in some and dark in others."
        ),
        MIRRORED,
        HUNDREDS,
        MAGNET,
    ),
    "mr angiogram": (
        _(
            "This MRI scan looks at blood vessels. Flowing blood looks bright, and what lies around it looks "
            "dark. Some pictures show the vessels as a model that turns."
        ),
        HUNDREDS,
        MAGNET,
    ),
    "mr": (
        _(
            "An MRI scan shows the body in slices, taken in several ways. Fluid looks bright in some and dark in "
            "others. Bright or dark alone does not mean good or bad."
        ),
        HUNDREDS,
        MAGNET,
    ),
    "pet ct": (
        _(
            "A PET/CT scan shows where the body takes up a tracer that was put into a vein. The CT scan shows the"
            " body itself, and both are laid over each other. Some healthy parts, such as the bladder, always "
            "take up a lot."
        ),
        HUNDREDS,
        _("The radiation is about what nature gives everybody in eight years."),
    ),
    "pet": (
        _(
            "A PET scan shows where the body takes up a tracer that was put into a vein. Some healthy parts, such"
            " as the bladder, always take up a lot."
        ),
        HUNDREDS,
        _("The tracer gives off a little radiation. It fades by itself."),
    ),
    "bone scan": (
        _(
            "A bone scan shows where bones take up a tracer that was put into a vein. Where they take up more, "
            "the picture shows darker spots. Growing bones, joints, the kidneys and the bladder often show up "
            "without being ill."
        ),
        _("Two pictures of the whole body, from the front and from behind, are normal, and some from near."),
        _("The radiation is about what nature gives everybody in a year and a half. It fades by itself."),
    ),
    "nuclear": (
        _(
            "This scan shows where the body takes up a tracer that was put in before. It shows how an organ works"
            " more than what it looks like, so the pictures are blurred."
        ),
        _("A few pictures or some dozens are normal."),
        _("The tracer gives off a little radiation. It fades by itself."),
    ),
    "bone density": (
        _(
            "A bone density scan measures how much mineral is in the bones. The picture only shows where it was "
            "measured: the result is the numbers in the report."
        ),
        _("One to four pictures are normal, mostly of the hip and the lower back."),
        _("The radiation is about what nature gives everybody in three hours."),
    ),
    "angiogram": (
        _(
            "An angiogram is a film of blood vessels. Contrast fluid is let into them through a thin tube and "
            "makes the blood dark, like a tree with its branches."
        ),
        _("Five to fifty short films are normal. Each shows the vessels from another side."),
        SOME_XRAYS,
    ),
    "fluoroscopy": (
        _(
            "Fluoroscopy is an X-ray film. It shows something move, such as a contrast fluid that is swallowed or"
            " let in."
        ),
        _("A few films and single pictures are normal."),
        SOME_XRAYS,
    ),
    "endoscopy": (
        _("An endoscopy looks into the body with a small camera. These are photographs or films that it took."),
        _("It uses light and no radiation."),
    ),
    "eye": (
        _(
            "These are photographs or scans of the eye. The bright round spot at the back of the eye is where the"
            " nerve of sight begins."
        ),
        _("It uses light and no radiation."),
    ),
    "microscope": (
        _("This is a thin slice of tissue, dyed and looked at with a microscope. The colors come from the dye."),
    ),
    "ecg": (
        _(
            "An ECG draws the small currents with which the heart beats. Each line is the same heartbeat, seen "
            "from another side. A large square across is a fifth of a second."
        ),
        _("It only listens. No current and no radiation go into the body."),
    ),
}


def told(kind: str) -> list[str]:
    """What is said about a kind of exam (a key of `TOLD`), a paragraph each; nothing about one that is not known."""
    return [str(paragraph) for paragraph in TOLD.get(kind, ())]
